#include "manager/files/walk.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/bytes.h"
#include "manager/files/beneath.h"
#include "protocol/limits.h"

namespace capsule {
namespace {

struct CloseDir {
  void operator()(DIR* directory) const { closedir(directory); }
};

struct Level {
  std::unique_ptr<DIR, CloseDir> directory;
  std::string path;
};

class Walker {
 public:
  Walker(const WalkLimits& limits, const Wanted& wanted)
      : limits_(limits), wanted_(wanted), deadline_(now() + limits.time_max) {}

  Walk walk(UniqueFd root, std::string path) {
    depth_before_ = path.empty() ? 0 : 1 + static_cast<size_t>(std::count(path.begin(), path.end(), '/'));
    enter(std::move(root), std::move(path));
    while (!levels_.empty() && walk_.incomplete.empty()) step();
    return std::move(walk_);
  }

 private:
  void enter(UniqueFd fd, std::string path) {
    DIR* directory = fdopendir(fd.get());
    if (directory == nullptr) return;
    (void)fd.release();
    levels_.push_back({std::unique_ptr<DIR, CloseDir>(directory), std::move(path)});
  }

  void step() {
    Level& level = levels_.back();
    const dirent* entry = readdir(level.directory.get());
    if (entry == nullptr) return levels_.pop_back();
    const std::string name = entry->d_name;
    if (name == "." || name == "..") return;
    if (++looks_ > limits_.looks_max) return stop("more than " + std::to_string(limits_.looks_max) + " names");
    if (looks_ % kLooksBetweenClocks == 0 && now() > deadline_) return stop("it took too long");
    struct stat facts {};
    const int directory = dirfd(level.directory.get());
    if (fstatat(directory, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) return;  // gone meanwhile
    std::string path = level.path.empty() ? name : level.path + "/" + name;
    if (path.size() > limits::kPathBytes) return add({path.substr(0, limits::kPathBytes), {}, "a path too long"});
    if (!S_ISDIR(facts.st_mode)) {
      if (wanted_(path, facts)) add({path, facts, beneath::why_skipped(facts, limits_.file_bytes_max)});
      return;
    }
    // A file in it would have one part more than the levels so far, this one and its own.
    if (depth_before_ + levels_.size() + 1 > limits::kPathDepth) return add({path, {}, "a directory too deep"});
    auto inner = beneath::open_directory(directory, name);
    if (!inner) return add({path, {}, "a directory that cannot be read"});
    enter(std::move(*inner), std::move(path));
  }

  void add(Found found) {
    if (walk_.found.size() >= limits_.entries_max) {
      return stop("more than " + std::to_string(limits_.entries_max) + " files");
    }
    walk_.found.push_back(std::move(found));
  }

  void stop(std::string why) { walk_.incomplete = std::move(why); }

  static constexpr size_t kLooksBetweenClocks = 64;

  const WalkLimits& limits_;
  const Wanted& wanted_;
  TimePoint deadline_;
  std::vector<Level> levels_;  // at most kPathDepth
  size_t depth_before_ = 0;
  size_t looks_ = 0;
  Walk walk_;
};

}  // namespace

Result<Walk> walk_files(int root, std::string_view path, const WalkLimits& limits, const Wanted& wanted) {
  auto directory = beneath::open_directory(root, path);
  if (!directory) return tl::unexpected<Error>(directory.error());
  return Walker(limits, wanted).walk(std::move(*directory), std::string(path));
}

}  // namespace capsule
