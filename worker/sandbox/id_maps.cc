#include "worker/sandbox/id_maps.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "base/unique_fd.h"

namespace capsule::sandbox {
namespace {

Status write_file(const char* path, const std::string& text) {
  const UniqueFd file(open(path, O_WRONLY | O_CLOEXEC));
  if (!file) return system_failure(std::string("open ") + path);
  if (write(file.get(), text.data(), text.size()) < 0) return system_failure(std::string("write ") + path);
  return {};
}

std::string identity(unsigned id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; }

}  // namespace

// user_namespaces(7): without privilege, one line that maps the writer's own id; groups only once setgroups is denied.
Status write_id_maps(uid_t user, gid_t group) {
  return write_file("/proc/self/setgroups", "deny")
      .and_then([&] { return write_file("/proc/self/uid_map", identity(user)); })
      .and_then([&] { return write_file("/proc/self/gid_map", identity(group)); });
}

Status become(uid_t user, gid_t group) {
  if (setresgid(group, group, group) != 0) return system_failure("setresgid");
  if (setresuid(user, user, user) != 0) return system_failure("setresuid");
  return {};
}

void write_own_oom_score(const char* score) { (void)write_file("/proc/self/oom_score_adj", score); }

}  // namespace capsule::sandbox
