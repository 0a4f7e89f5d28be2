#include "manager/files/own_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace capsule {
namespace {

bool is_ours(const struct stat& facts) { return facts.st_uid == geteuid() || facts.st_uid == 0; }

}  // namespace

Status make_own_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (mkdir(path.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return system_failure("mkdir " + path);
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return system_failure("look at " + path);
  if (S_ISLNK(found.st_mode)) {
    if (!is_ours(found)) return failure(Errc::kRefused, path + " is a link of another user");
    if (stat(path.c_str(), &found) != 0) return system_failure("look at " + path);
  }
  if (!S_ISDIR(found.st_mode)) return failure(Errc::kRefused, path + " is not a directory");
  const bool others_can_replace = (found.st_mode & 022) != 0 && (found.st_mode & S_ISVTX) == 0;
  if (is_ours(found) && !others_can_replace) return {};
  return failure(Errc::kRefused, path + " belongs to another user or can be written by others");
}

}  // namespace capsule
