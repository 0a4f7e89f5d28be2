#include "manager/pool/hard_limits.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace capsule {
namespace {

Status lower(pid_t pid, __rlimit_resource resource, const char* name, rlim_t wanted) {
  rlimit limit{};
  if (prlimit(pid, resource, nullptr, &limit) != 0) return system_failure(std::string("read ") + name);
  if (limit.rlim_max <= wanted) return {};
  limit.rlim_max = wanted;
  limit.rlim_cur = std::min(limit.rlim_cur, wanted);
  if (prlimit(pid, resource, &limit, nullptr) != 0) return system_failure(std::string("lower ") + name);
  return {};
}

Status lower_both(pid_t pid, const HardLimits& wanted) {
  if (wanted.processes != 0) {
    if (const Status done = lower(pid, RLIMIT_NPROC, "RLIMIT_NPROC", wanted.processes); !done) return done;
  }
  if (wanted.open_files == 0) return {};
  return lower(pid, RLIMIT_NOFILE, "RLIMIT_NOFILE", wanted.open_files + kDescriptorsReserved);
}

// Nothing but system calls in the child: other threads of ours may have held locks when it was made.
bool lower_as(uid_t user, gid_t group, pid_t pid, const HardLimits& wanted) {
  const pid_t child = fork();
  if (child == 0) {
    const bool done =
        setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0 && lower_both(pid, wanted);
    _exit(done ? 0 : 1);
  }
  int status = -1;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return status == 0;
}

}  // namespace

Status lower_hard_limits(pid_t pid, const HardLimits& wanted) {
  const Status lowered = lower_both(pid, wanted);
  struct stat process {};
  if (lowered || geteuid() != 0 || stat(("/proc/" + std::to_string(pid)).c_str(), &process) != 0) return lowered;
  return lower_as(process.st_uid, process.st_gid, pid, wanted) ? Status() : lowered;
}

}  // namespace capsule
