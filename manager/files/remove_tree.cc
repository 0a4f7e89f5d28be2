#include "manager/files/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

#include "base/unique_fd.h"

namespace capsule {
namespace {

constexpr size_t kNamesAtOnce = 256;
constexpr mode_t kOwnerMayAll = 0700;

// Opened whatever its owner may do with it, for he is who we are, or we are root.
UniqueFd open_directory(int parent, const std::string& name) {
  const UniqueFd place(openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat facts {};
  if (!place || fstat(place.get(), &facts) != 0) return {};
  if ((facts.st_mode & kOwnerMayAll) != kOwnerMayAll) {
    // fchmod(2) does not take such a descriptor.
    (void)chmod(("/proc/self/fd/" + std::to_string(place.get())).c_str(), kOwnerMayAll);
  }
  return UniqueFd(openat(place.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

std::vector<std::string> some_names(int directory) {
  std::vector<std::string> names;
  UniqueFd again(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> reading(fdopendir(again.get()), closedir);
  if (!reading) return names;
  (void)again.release();
  while (names.size() < kNamesAtOnce) {
    const dirent* entry = readdir(reading.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

// Every directory below the top is emptied once: its files are removed, its directories moved up to the top.
class Removal {
 public:
  Removal(UniqueFd top, const std::atomic<bool>& stop) : top_(std::move(top)), stop_(stop) {}

  Status empty_top() {
    return empty(top_.get(), [this](const std::string& name) -> Status {
      const UniqueFd inner = open_directory(top_.get(), name);
      if (!inner) return system_failure("open a directory");
      Status emptied = empty(inner.get(), [&](const std::string& deep) { return move_up(inner.get(), deep); });
      if (emptied && unlinkat(top_.get(), name.c_str(), AT_REMOVEDIR) != 0) return system_failure("rmdir");
      return emptied;
    });
  }

 private:
  // `take` is for directories that are not empty.
  template <class Take>
  Status empty(int directory, Take take) {
    for (;;) {
      const std::vector<std::string> names = some_names(directory);
      if (names.empty()) return {};
      for (const std::string& name : names) {
        if (stop_) return failure(Errc::kClosed, "stopped");
        if (unlinkat(directory, name.c_str(), 0) == 0) continue;
        if (errno != EISDIR && errno != EPERM) return system_failure("unlink");
        if (unlinkat(directory, name.c_str(), AT_REMOVEDIR) == 0) continue;
        if (errno != ENOTEMPTY && errno != EEXIST) return system_failure("rmdir");
        if (Status taken = take(name); !taken) return taken;
      }
    }
  }

  // To a name that is free there. What is moved has to be open to its owner: its ".." changes.
  Status move_up(int from, const std::string& name) {
    if (!open_directory(from, name)) return system_failure("open a directory");
    for (;;) {
      const std::string free = "." + std::to_string(++moved_);
      if (renameat(from, name.c_str(), top_.get(), free.c_str()) == 0) return {};
      if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) return system_failure("rename");
      if (stop_) return failure(Errc::kClosed, "stopped");
    }
  }

  UniqueFd top_;
  const std::atomic<bool>& stop_;
  uint64_t moved_ = 0;
};

}  // namespace

Status remove_tree(int parent, const std::string& name, const std::atomic<bool>& stop) {
  UniqueFd top = open_directory(parent, name);
  if (!top) return errno == ENOENT ? Status() : Status(system_failure("open " + name));
  if (Status emptied = Removal(std::move(top), stop).empty_top(); !emptied) return emptied;
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0) return system_failure("rmdir " + name);
  return {};
}

}  // namespace capsule
