#include "manager/storage/record_log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace capsule {
namespace {

constexpr size_t kReadBytes = 64u << 10;
constexpr std::string_view kEnding = ".log";

bool has_no_name(int fd) {
  struct stat found {};
  return fstat(fd, &found) == 0 && found.st_nlink == 0;
}

bool is_regular(int fd) {
  struct stat found {};
  return fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
}

}  // namespace

std::string segment_name(uint64_t segment) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "%012llu.log", static_cast<unsigned long long>(segment));
  return name.data();
}

std::string damaged_name(uint64_t segment) { return segment_name(segment) + ".damaged"; }

Result<std::vector<uint64_t>> segments_in(int directory) {
  UniqueFd again(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again) return system_failure("open the log of runs");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(again.get()), closedir);
  if (!stream) return system_failure("fdopendir");
  (void)again.release();
  std::vector<uint64_t> found;
  while (const dirent* entry = readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (!name.ends_with(kEnding)) continue;
    const uint64_t segment = std::strtoull(entry->d_name, nullptr, 10);
    struct stat facts {};
    const bool is_file = fstatat(directory, entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(facts.st_mode);
    if (is_file && segment_name(segment) == name) found.push_back(segment);
  }
  std::sort(found.begin(), found.end());
  return found;
}

// ---- writing -------------------------------------------------------------------------------------------------

Status RecordLogWriter::open_segment() {
  file_ = UniqueFd(openat(directory_, segment_name(segment_).c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  segment_bytes_ = 0;
  if (file_) return {};
  if (errno == ENOENT) return failure(Errc::kSystem, kRemoved);
  return system_failure("make a log file of runs");
}

bool RecordLogWriter::is_removed() const { return has_no_name(directory_); }

Status RecordLogWriter::append(std::string_view frames) {
  if (file_ && (segment_bytes_ >= kLogSegmentBytes || has_no_name(file_.get()))) {
    file_.reset();
    ++segment_;
  }
  if (!file_) {
    if (Status opened = open_segment(); !opened) return opened;
  }
  size_t written = 0;
  while (written < frames.size()) {
    const ssize_t n = write(file_.get(), frames.data() + written, frames.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const auto error = system_failure("write to the log of runs");
      // What cannot be taken back is a torn end, and readers drop that when there is a next file.
      if (written > 0 && ftruncate(file_.get(), static_cast<off_t>(segment_bytes_)) != 0) {
        file_.reset();
        ++segment_;
      }
      return error;
    }
    written += static_cast<size_t>(n);
  }
  segment_bytes_ += written;
  appended_bytes_ += written;
  return {};
}

// ---- reading -------------------------------------------------------------------------------------------------

Result<std::optional<RecordLogReader::Frame>> RecordLogReader::next() {
  while (true) {
    const auto payload = decoder_.next();
    if (payload && *payload) {
      const LogPosition at = at_;
      const uint64_t bytes = limits::kFrameHeaderBytes + (*payload)->size();
      at_.offset += bytes;
      read_bytes_ += bytes;
      return Frame{at, **payload};
    }
    if (!payload) {
      note_damage(at_);
      if (!has_next_segment()) return std::nullopt;
      next_segment();
      continue;
    }
    const bool is_last = !has_next_segment();  // asked first: the writer is done with this file when it makes another
    const auto got = fill();
    if (!got) return tl::unexpected<Error>(got.error());
    if (*got > 0) continue;
    if (is_last) {
      file_.reset();  // a descriptor less while nothing happens
      return std::nullopt;
    }
    if (decoder_.is_mid_frame()) note_damage(at_);
    next_segment();
  }
}

Result<size_t> RecordLogReader::fill() {
  if (!file_) {
    file_ =
        UniqueFd(openat(directory_, segment_name(at_.segment).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
    if (!file_ && errno == ENOENT) return 0;
    if (!file_) return system_failure("open a log file of runs");
    if (!is_regular(file_.get())) {
      file_.reset();
      return 0;
    }
  }
  std::array<char, kReadBytes> piece;
  const ssize_t n = pread(file_.get(), piece.data(), piece.size(), static_cast<off_t>(filled_to_));
  if (n < 0) return system_failure("read the log of runs");
  decoder_.feed({piece.data(), static_cast<size_t>(n)});
  filled_to_ += static_cast<uint64_t>(n);
  return static_cast<size_t>(n);
}

bool RecordLogReader::has_next_segment() const {
  return faccessat(directory_, segment_name(at_.segment + 1).c_str(), F_OK, 0) == 0;
}

void RecordLogReader::next_segment() {
  at_ = {at_.segment + 1, 0};
  decoder_ = FrameDecoder();
  file_.reset();
  filled_to_ = 0;
}

}  // namespace capsule
