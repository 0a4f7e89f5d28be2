#include "manager/storage/run_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/posix_io.h"

namespace capsule {
namespace {

// All files are opened with O_NONBLOCK: a FIFO in the place of one must not keep the storage thread waiting.
constexpr const char* kPart = ".part";  // of replace(); one thread writes

}  // namespace

Result<RunFolder> RunFolder::make(int runs, const std::string& run_id, SpareInodes& spare) {
  const bool is_there = spare.give_directory(runs, run_id) || mkdirat(runs, run_id.c_str(), 0700) == 0;
  if (!is_there && errno != EEXIST) return system_failure("make a run's directory");
  UniqueFd directory(openat(runs, run_id.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory) return system_failure("open a run's directory");
  return RunFolder(std::move(directory), spare);
}

Status RunFolder::replace(const char* name, std::string_view content) const {
  {
    // One that is given is empty. To cut it off again would cost: see there.
    const int how = spare_->give_file(directory_.get(), kPart) ? O_WRONLY : O_WRONLY | O_CREAT | O_TRUNC;
    const UniqueFd file(openat(directory_.get(), kPart, how | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return system_failure("make a file of a run");
    if (const Status written = write_all(file.get(), content); !written) return written;
  }
  if (renameat(directory_.get(), kPart, directory_.get(), name) != 0) return system_failure("rename a file of a run");
  return {};
}

Status RunFolder::write_at(const char* name, uint64_t offset, std::string_view bytes) const {
  if (offset == 0) (void)spare_->give_file(directory_.get(), name);
  const UniqueFd file(openat(directory_.get(), name, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0600));
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
  const UniqueFd file(openat(runs, path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno == ENOENT) return std::string();
  if (!file) return system_failure("open a file of a run");
  struct stat facts {};
  if (fstat(file.get(), &facts) != 0) return system_failure("look at a file of a run");
  if (offset >= static_cast<uint64_t>(facts.st_size)) return std::string();  // pread refuses some that are further out
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

}  // namespace capsule
