#include "worker/parked.h"

#include <dirent.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "worker/interpreter/interpreter.h"

namespace capsule::parked {
namespace {

// libc caches the thread id where the kernel clears it at exit. A raw clone leaves the parent's id there; writing the
// child's own keeps raise() and error-checking mutexes right.
uint64_t libc_thread_id_address() {
  int* address = nullptr;
  if (prctl(PR_GET_TID_ADDRESS, &address) != 0) return 0;
  return reinterpret_cast<uint64_t>(address);
}

}  // namespace

Result<Child> branch_capsule(Namespaces namespaces, int cgroup) {
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_PARENT | CLONE_PIDFD | namespaces;
  if (cgroup != kNoCgroup) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(cgroup);
  }
  arguments.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  if (const uint64_t address = libc_thread_id_address(); address != 0) {
    arguments.flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    arguments.child_tid = address;
  }
  // CLONE_PARENT takes the exit signal of the caller; one of our own is refused with EINVAL.
  interpreter::before_fork();
  long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  // Where containers hide clone3 the older call does the same, but for control groups.
  if (pid < 0 && errno == ENOSYS && cgroup == kNoCgroup) {
    pid = syscall(SYS_clone, arguments.flags, 0, &pidfd, arguments.child_tid, 0);
  }
  if (pid == 0) return Child{};
  const int saved = errno;
  interpreter::after_fork_in_parent();
  errno = saved;
  if (pid < 0) {
    auto error = system_failure("clone3");
    if (namespaces != kNoNamespaces) error.value().code = Errc::kUnavailable;
    return error;
  }
  return Child{static_cast<pid_t>(pid), UniqueFd(pidfd)};
}

Result<Child> branch_worker() {
  const pid_t pid = fork();
  if (pid < 0) return system_failure("fork");
  if (pid == 0) {
    interpreter::after_fork_in_child();
    return Child{};
  }
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    auto error = system_failure("pidfd_open");
    kill(pid, SIGKILL);
    return error;
  }
  return Child{pid, std::move(pidfd)};
}

Result<Copy> branch_copy() {
  Copy copy;
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &copy.mask);
  uint64_t flags = CLONE_PARENT;
  const uint64_t address = libc_thread_id_address();
  if (address != 0) flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  const long pid = syscall(SYS_clone, flags, 0, nullptr, address, 0);
  const int saved = errno;
  copy.pid = static_cast<pid_t>(pid);
  if (pid == 0) return copy;
  sigprocmask(SIG_SETMASK, &copy.mask, nullptr);
  errno = saved;
  if (pid < 0) return system_failure("clone");
  return copy;
}

size_t thread_count() {
  DIR* directory = opendir("/proc/self/task");
  if (directory == nullptr) return 0;
  size_t count = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(directory);
  return count;
}

}  // namespace capsule::parked
