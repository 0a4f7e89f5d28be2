#include "manager/worker_user.h"

#include <unistd.h>

#include <sstream>

#include "base/posix_io.h"

namespace capsule {
namespace {

constexpr uid_t kWorkerUserWhenRoot = 60999;  // below the ranges of sub-ids and systemd
constexpr size_t kProcFileBytes = 4096;

// In a user namespace with a single id ("fake root") nobody else can be become, whatever geteuid() says.
bool may_change_groups() {
  const auto setgroups = read_file("/proc/self/setgroups", kProcFileBytes);
  return !setgroups || !setgroups->starts_with("deny");
}

}  // namespace

bool has_users(uint64_t first, uint64_t count) {
  for (const char* path : {"/proc/self/uid_map", "/proc/self/gid_map"}) {
    const auto map = read_file(path, kProcFileBytes);
    if (!map) return false;
    std::istringstream lines(*map);  // user_namespaces(7): first id inside, first id outside, how many
    bool covered = false;
    for (uint64_t inside = 0, outside = 0, size = 0; lines >> inside >> outside >> size;) {
      covered |= inside <= first && first + count <= inside + size;
    }
    if (!covered) return false;
  }
  return true;
}

uid_t choose_worker_user() {
  if (geteuid() != 0 || !may_change_groups() || !has_users(kWorkerUserWhenRoot, 1)) return 0;
  return kWorkerUserWhenRoot;
}

}  // namespace capsule
