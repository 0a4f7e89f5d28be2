#include "manager/storage/run_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/posix_io.h"

namespace capsule {
namespace {

constexpr const char* kPart = ".part";  // of replace(); one thread writes

}  // namespace

Result<RunFolder> RunFolder::make(int runs, const std::string& run_id) {
  if (mkdirat(runs, run_id.c_str(), 0700) != 0 && errno != EEXIST) return system_failure("make a run's directory");
  UniqueFd directory(openat(runs, run_id.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory) return system_failure("open a run's directory");
  return RunFolder(std::move(directory));
}

Status RunFolder::replace(const char* name, std::string_view content) const {
  {
    const UniqueFd file(openat(directory_.get(), kPart, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return system_failure("make a file of a run");
    if (const Status written = write_all(file.get(), content); !written) return written;
  }
  if (renameat(directory_.get(), kPart, directory_.get(), name) != 0) return system_failure("rename a file of a run");
  return {};
}

Status RunFolder::write_at(const char* name, uint64_t offset, std::string_view bytes) const {
  const UniqueFd file(openat(directory_.get(), name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return system_failure("open a file of a run");
  while (!bytes.empty()) {
    const ssize_t n = pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return system_failure("write a file of a run");
    offset += static_cast<uint64_t>(n);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Result<std::string> read_run_file(int runs, const std::string& run_id, const char* name, uint64_t offset,
                                  size_t bytes_max) {
  const std::string path = run_id + "/" + name;
  const UniqueFd file(openat(runs, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno == ENOENT) return std::string();
  if (!file) return system_failure("open a file of a run");
  std::string bytes(bytes_max, '\0');
  const ssize_t n = pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
  if (n < 0) return system_failure("read a file of a run");
  bytes.resize(static_cast<size_t>(n));
  return bytes;
}

uint64_t run_file_bytes(int runs, const std::string& run_id, const char* name) {
  struct stat facts {};
  const std::string path = run_id + "/" + name;
  return fstatat(runs, path.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0 ? static_cast<uint64_t>(facts.st_size) : 0;
}

Status remove_run_folder(int runs, const std::string& run_id) {
  UniqueFd directory(openat(runs, run_id.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory) return errno == ENOENT ? Status{} : Status(system_failure("open a run's directory"));
  {
    UniqueFd again = duplicate(directory.get());
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(again.get()), closedir);
    if (!stream) return system_failure("fdopendir");
    (void)again.release();
    while (const dirent* entry = readdir(stream.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") unlinkat(directory.get(), entry->d_name, 0);
    }
  }
  if (unlinkat(runs, run_id.c_str(), AT_REMOVEDIR) != 0) return system_failure("remove a run's directory");
  return {};
}

}  // namespace capsule
