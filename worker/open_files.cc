#include "worker/open_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "base/posix_io.h"
#include "base/unique_fd.h"
#include "base/utf8.h"
#include "protocol/limits.h"

namespace capsule {
namespace {

constexpr size_t kProcFileBytes = 16u << 10;

std::string fd_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

std::vector<int> open_descriptors() {
  std::vector<int> all;
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return all;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    const int fd = std::atoi(entry->d_name);
    if (fd != dirfd(directory)) all.push_back(fd);
  }
  closedir(directory);
  return all;
}

std::string name_of(int fd) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = readlink(fd_path(fd).c_str(), target.data(), target.size() - 1);
  return size > 0 ? std::string(target.data(), static_cast<size_t>(size)) : "unknown";
}

std::string describe(int fd) { return "descriptor " + std::to_string(fd) + ": " + replace_invalid_utf8(name_of(fd)); }

void note(OpenFiles& open, std::string what) {
  if (open.not_captured.size() < limits::kNotCaptured) open.not_captured.push_back(std::move(what));
}

void sort_in(int fd, Root root, OpenFiles& open) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || S_ISCHR(info.st_mode)) return;  // /dev/null and its like have no position
  const int flags = fcntl(fd, F_GETFL);
  if ((S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) && flags >= 0) {
    if ((flags & O_PATH) != 0 && root == Root::kSame) return;
    open.files.push_back({fd, lseek(fd, 0, SEEK_CUR), flags, root == Root::kNew ? name_of(fd) : std::string()});
    return;
  }
  open.others.push_back(fd);
  note(open, describe(fd));
}

// proc(5): children of the calling thread, which is the only one.
void note_children(OpenFiles& open) {
  const auto text = read_file("/proc/thread-self/children", kProcFileBytes);
  if (!text) return;
  for (const char *at = text->data(), *end = at + text->size(); at < end;) {
    pid_t pid = 0;
    const auto parsed = std::from_chars(at, end, pid);
    if (parsed.ec != std::errc()) return;
    auto name = read_file("/proc/" + std::to_string(pid) + "/comm", kProcFileBytes);
    if (name && name->ends_with('\n')) name->pop_back();
    note(open, "process " + std::to_string(pid) + (name ? " (" + replace_invalid_utf8(*name) + ")" : ""));
    at = parsed.ptr + 1;
  }
}

void note_timers(OpenFiles& open) {
  itimerval left{};
  if (getitimer(ITIMER_REAL, &left) != 0) return;
  if (left.it_value.tv_sec != 0 || left.it_value.tv_usec != 0) note(open, "the alarm that was set");
}

// The number stays taken: else the next file opened would get it, and be mistaken for what was there.
void make_useless(int fd) {
  const UniqueFd nothing(open("/", O_PATH | O_CLOEXEC));
  if (!nothing || dup3(nothing.get(), fd, O_CLOEXEC) < 0) close(fd);
}

bool has_name(const SharedMapping& mapping) {
  return mapping.name.rfind('/', 0) == 0 && !mapping.name.ends_with(" (deleted)");
}

// What is mapped from a file that has a name is the file's content, which stays as all files do, or is copied with
// them. Private memory is copied with the process.
void sort_in(SharedMapping mapping, Root root, OpenFiles& open) {
  const bool is_in_memory = mapping.name.rfind("/dev/", 0) == 0;  // what a rollback does not bring back
  if (has_name(mapping) && root == Root::kNew) return open.mappings.push_back(std::move(mapping));
  if ((mapping.protection & PROT_WRITE) == 0 || (has_name(mapping) && !is_in_memory)) return;
  note(open, "memory shared with others: " + (mapping.name.empty() ? "no name" : replace_invalid_utf8(mapping.name)));
}

constexpr int kKept = O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECTORY | O_SYNC | O_NOATIME | O_PATH | O_NOFOLLOW;

// For what has no name any more: a file of its own with what is in there.
UniqueFd copy_nameless(const OpenFiles::File& file) {
  UniqueFd own(open("/tmp", O_TMPFILE | O_RDWR | (file.flags & (O_APPEND | O_NONBLOCK | O_SYNC)) | O_CLOEXEC, 0600));
  const UniqueFd source(open(fd_path(file.fd).c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!own || !source || fstat(source.get(), &info) != 0) return {};
  for (off_t at = 0; at < info.st_size;) {
    if (sendfile(own.get(), source.get(), &at, static_cast<size_t>(info.st_size - at)) <= 0) return {};
  }
  return own;
}

UniqueFd open_again(const OpenFiles::File& file, Root root) {
  if (root == Root::kSame) return UniqueFd(open(fd_path(file.fd).c_str(), (file.flags & kKept) | O_CLOEXEC));
  if (file.name.ends_with(" (deleted)")) return copy_nameless(file);
  return UniqueFd(open(file.name.c_str(), (file.flags & kKept) | O_CLOEXEC));
}

}  // namespace

OpenFiles list_open_files(std::span<const int> own, Root root) {
  OpenFiles open;
  for (const int fd : open_descriptors()) {
    if (fd > STDERR_FILENO && std::find(own.begin(), own.end(), fd) == own.end()) sort_in(fd, root, open);
  }
  note_children(open);
  note_timers(open);
  for (SharedMapping& mapping : shared_mappings()) sort_in(std::move(mapping), root, open);
  if (root == Root::kSame) return open;
  std::array<char, PATH_MAX> directory{};
  if (getcwd(directory.data(), directory.size()) != nullptr) open.directory = directory.data();
  return open;
}

void open_anew(const OpenFiles& open, Root root) {
  if (root == Root::kNew && chdir(open.directory.c_str()) != 0) (void)!chdir("/");
  for (const OpenFiles::File& file : open.files) {
    const int inherited = fcntl(file.fd, F_GETFD);
    const UniqueFd own = open_again(file, root);
    if (!own) {
      if (root == Root::kNew) make_useless(file.fd);  // else shared with the original from here on
      continue;
    }
    if (file.position > 0) lseek(own.get(), file.position, SEEK_SET);
    dup3(own.get(), file.fd, (inherited & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0);
  }
  for (const int fd : open.others) make_useless(fd);
  for (const SharedMapping& mapping : open.mappings) map_anew(mapping);
}

}  // namespace capsule
