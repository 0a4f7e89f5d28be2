#include "worker/sandbox/copy_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/unique_fd.h"

namespace capsule::sandbox {
namespace {

constexpr mode_t kModeBits = 07777;
constexpr size_t kChunkBytes = 1u << 30;  // of one sendfile(2)

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

class Copier {
 public:
  explicit Copier(std::vector<std::string>& left_out) : left_out_(left_out) {}

  Status copy_directory(int from, int to, int depth) {
    if (depth > kCopyDepthMax) return failure(Errc::kTooLarge, "directories are too deep to copy");
    const int again = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const Directory entries(again < 0 ? nullptr : fdopendir(again));
    if (!entries) return system_failure("read a directory");
    while (const dirent* entry = readdir(entries.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (Status copied = copy_one(dirfd(entries.get()), to, name, depth); !copied) return copied;
    }
    return {};
  }

 private:
  Status copy_one(int from, int to, const std::string& name, int depth) {
    struct stat info {};
    if (fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return {};  // it went away meanwhile
    if (S_ISDIR(info.st_mode)) return copy_below(from, to, name, info, depth);
    if (S_ISLNK(info.st_mode)) return copy_link(from, to, name);
    if (S_ISREG(info.st_mode)) return copy_file(from, to, name, info);
    leave_out(name);
    return {};
  }

  Status copy_below(int from, int to, const std::string& name, const struct stat& info, int depth) {
    const UniqueFd source(openat(from, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!source) return leave_out(name), Status();
    if (mkdirat(to, name.c_str(), 0700) != 0 && errno != EEXIST) return system_failure("mkdir " + name);
    const UniqueFd target(openat(to, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!target) return system_failure("open " + name);
    if (Status copied = copy_directory(source.get(), target.get(), depth + 1); !copied) return copied;
    (void)fchmod(target.get(), info.st_mode & kModeBits);
    set_time(target.get(), info);
    return {};
  }

  Status copy_link(int from, int to, const std::string& name) {
    std::array<char, PATH_MAX> text{};
    const ssize_t size = readlinkat(from, name.c_str(), text.data(), text.size() - 1);
    if (size <= 0) return {};
    if (symlinkat(text.data(), to, name.c_str()) != 0 && errno != EEXIST) return system_failure("link " + name);
    return {};
  }

  Status copy_file(int from, int to, const std::string& name, const struct stat& info) {
    const UniqueFd source(openat(from, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!source) return leave_out(name), Status();
    const UniqueFd target(openat(to, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!target) return system_failure("create " + name);
    if (ftruncate(target.get(), info.st_size) != 0) return system_failure("make room for " + name);
    if (Status copied = copy_data(source.get(), target.get(), info.st_size); !copied) return copied;
    (void)fchmod(target.get(), info.st_mode & kModeBits);
    set_time(target.get(), info);
    return {};
  }

  // lseek(2), SEEK_DATA: what was never written takes no room in the copy either.
  static Status copy_data(int source, int target, off_t size) {
    off_t at = 0;
    while (at < size) {
      const off_t data = lseek(source, at, SEEK_DATA);
      if (data < 0 || data >= size) return {};
      const off_t hole = lseek(source, data, SEEK_HOLE);
      const off_t end = hole < 0 ? size : std::min(hole, size);
      if (lseek(target, data, SEEK_SET) < 0) return system_failure("seek");
      for (at = data; at < end;) {
        off_t from = at;
        const ssize_t put =
            sendfile(target, source, &from, std::min<size_t>(static_cast<size_t>(end - at), kChunkBytes));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return system_failure("copy a file");
        if (put == 0) return {};  // it became shorter meanwhile
        at += put;
      }
    }
    return {};
  }

  static void set_time(int fd, const struct stat& info) {
    const timespec times[] = {info.st_atim, info.st_mtim};
    (void)futimens(fd, times);
  }

  void leave_out(const std::string& name) {
    if (left_out_.size() < kLeftOutNamed) left_out_.push_back(name);
  }

  std::vector<std::string>& left_out_;
};

}  // namespace

Status copy_tree(int from, int to, std::vector<std::string>& left_out) {
  return Copier(left_out).copy_directory(from, to, 0);
}

}  // namespace capsule::sandbox
