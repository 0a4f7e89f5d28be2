#include "manager/observe/span_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/posix_io.h"

namespace capsule {

std::string SpanFile::path(uint64_t number) const {
  return directory_ + (number == 0 ? "/traces.jsonl" : "/traces." + std::to_string(number) + ".jsonl");
}

Result<SpanFile> SpanFile::open(const std::string& directory, Limits limits) {
  for (int i = 1; i <= kDirectories; ++i) {
    const std::string place = i == 1 ? directory : directory + "." + std::to_string(i);
    if (mkdir(place.c_str(), 0700) != 0 && errno != EEXIST) return system_failure("make " + place);
    UniqueFd lock(::open((place + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) return system_failure("open " + place + "/lock");
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;
    SpanFile file(place, limits, std::move(lock));
    if (const Status opened = file.open_current(); !opened) return tl::unexpected<Error>(opened.error());
    return file;
  }
  return failure(Errc::kConflict, "other managers write to " + directory + " and the next ones");
}

Status SpanFile::open_current() {
  file_ = UniqueFd(::open(path(0).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_) return system_failure("open " + path(0));
  struct stat facts {};
  if (fstat(file_.get(), &facts) != 0) return system_failure("fstat " + path(0));
  if (!S_ISREG(facts.st_mode)) {
    file_.reset();
    return failure(Errc::kInvalid, path(0) + " is not a regular file");
  }
  size_bytes_ = static_cast<uint64_t>(facts.st_size);
  return {};
}

Status SpanFile::rotate() {
  file_.reset();
  const uint64_t last = limits_.files - 1;
  if (last == 0 && unlink(path(0).c_str()) != 0) return system_failure("remove " + path(0));
  for (uint64_t number = last; number > 0; --number) {
    const std::string older = path(number), newer = path(number - 1);
    if (rename(newer.c_str(), older.c_str()) != 0 && errno != ENOENT) return system_failure("rename " + newer);
  }
  return open_current();
}

// Whoever cleans up may have taken it, or its directory.
bool SpanFile::is_removed() const {
  struct stat facts {};
  return file_ && fstat(file_.get(), &facts) == 0 && facts.st_nlink == 0;
}

Status SpanFile::append(std::string_view line) {
  if (is_removed()) {
    (void)mkdir(directory_.c_str(), 0700);
    file_.reset();
  }
  if (!file_) {
    if (const Status opened = open_current(); !opened) return opened;
  }
  if (size_bytes_ > 0 && size_bytes_ + line.size() + 1 > limits_.file_bytes) {
    if (const Status rotated = rotate(); !rotated) return rotated;
  }
  const Status written = write_all(file_.get(), std::string(line) + "\n");
  if (!written) {
    if (ftruncate(file_.get(), static_cast<off_t>(size_bytes_)) != 0) return system_failure("truncate " + path(0));
    return written;
  }
  size_bytes_ += line.size() + 1;
  return {};
}

}  // namespace capsule
