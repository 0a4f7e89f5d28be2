#include "manager/cgroup/group_claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <vector>

namespace capsule {
namespace {

namespace fs = std::filesystem;

constexpr int kClaimTries = 8;  // another manager may take the new directory for a dead one's before it is locked

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// capsule-<number>-<number>, or supervisor-… (detect.cc).
bool is_owned_name(std::string_view name) {
  const size_t prefix = name.starts_with("capsule-") ? 8 : name.starts_with("supervisor-") ? 11 : 0;
  if (prefix == 0) return false;
  const size_t middle = name.find('-', prefix);
  return middle != name.npos && is_number(name.substr(prefix, middle - prefix)) && is_number(name.substr(middle + 1));
}

UniqueFd open_dir(const std::string& dir) {
  return UniqueFd(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

bool is_at(const UniqueFd& held, const std::string& dir) {
  struct stat mine {
  }, there{};
  return fstat(held.get(), &mine) == 0 && stat(dir.c_str(), &there) == 0 && mine.st_ino == there.st_ino &&
         mine.st_dev == there.st_dev;
}

}  // namespace

std::string group_owner(pid_t pid, int64_t wall_ms) { return std::to_string(pid) + "-" + std::to_string(wall_ms); }

Result<UniqueFd> claim_group(const std::string& dir) {
  for (int tries = 0; tries < kClaimTries; ++tries) {
    if (mkdir(dir.c_str(), 0755) != 0) {
      return errno == EEXIST ? failure(Errc::kConflict, dir + " is there already") : system_failure("mkdir " + dir);
    }
    UniqueFd fd = open_dir(dir);
    if (fd && flock(fd.get(), LOCK_EX) == 0 && is_at(fd, dir)) return fd;
  }
  return failure(Errc::kConflict, dir + " cannot be held");
}

UniqueFd hold_dead(const std::string& dir) {
  if (!is_owned_name(fs::path(dir).filename().string())) return {};
  UniqueFd fd = open_dir(dir);
  struct stat facts {};
  if (!fd || fstat(fd.get(), &facts) != 0 || facts.st_uid != geteuid()) return {};
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return {};
  return fd;
}

bool remove_groups_below(const std::string& dir) {
  std::error_code ignored;
  std::vector<fs::path> groups;  // first all names: what is removed while a directory is read may hide others
  for (const auto& entry : fs::directory_iterator(dir, ignored)) {
    if (entry.is_directory(ignored)) groups.push_back(entry.path());
  }
  bool all = true;
  for (const fs::path& group : groups) all &= rmdir(group.c_str()) == 0 || errno == ENOENT;
  return all;
}

bool remove_dead_groups(const std::string& place) {
  std::error_code ignored;
  std::vector<fs::path> owned;
  for (const auto& entry : fs::directory_iterator(place, ignored)) {
    if (owned.size() < kDeadManagers && is_owned_name(entry.path().filename().string())) owned.push_back(entry.path());
  }
  bool all = true;
  for (const fs::path& dir : owned) {
    const UniqueFd held = hold_dead(dir.string());
    if (!held) continue;
    all &= remove_groups_below(dir.string()) && (rmdir(dir.c_str()) == 0 || errno == ENOENT);
  }
  return all;
}

}  // namespace capsule
