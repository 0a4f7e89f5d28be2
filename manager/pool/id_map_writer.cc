#include "manager/pool/id_map_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "base/unique_fd.h"

namespace capsule {
namespace {

Status write_in(int directory, const char* name, const std::string& text) {
  const UniqueFd file(openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return system_failure(std::string("open a keeper's ") + name);
  if (write(file.get(), text.data(), text.size()) < 0) return system_failure(std::string("write a keeper's ") + name);
  return {};
}

}  // namespace

// user_namespaces(7): each map can be written once. Groups cannot be changed inside at all.
Status write_id_maps_of(pid_t keeper, uid_t user) {
  const std::string path = "/proc/" + std::to_string(keeper);
  const UniqueFd process(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!process) return system_failure("open " + path);
  const std::string map = std::to_string(user) + " " + std::to_string(user) + " 1";
  return write_in(process.get(), "setgroups", "deny")
      .and_then([&] { return write_in(process.get(), "uid_map", map); })
      .and_then([&] { return write_in(process.get(), "gid_map", map); });
}

}  // namespace capsule
