// The only way into a directory that programs can write to: openat2(2) beneath an open directory, no links of any
// kind, no other mounts. What is read is a regular file with one name; what is written appears whole, by rename.
//
// Paths are checked by check_file_path() first. Nothing here waits: a FIFO is opened without blocking and refused.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule::beneath {

struct File {
  UniqueFd fd;
  struct stat facts {};
};

// kNotFound; kRefused: a link, not a regular file, or with several names; kTooLarge: above `bytes_max`.
Result<File> open_to_read(int root, std::string_view path, uint64_t bytes_max);

// Empty path: the root itself.
Result<UniqueFd> open_directory(int root, std::string_view path);

struct Source {
  int fd;
  uint64_t offset, bytes;
  mode_t mode;
};

// Copies `bytes` from `source` at `offset` into a new file, as much at a time as its user likes, and in the end puts it
// in the place of whatever had the name; a link there is replaced, not followed. Directories on the way are made.
// Destroyed before its end it leaves nothing. kTooLarge: the workspace is full.
class Writing {
 public:
  static Result<Writing> begin(int root, std::string_view path, const Source& source);
  Writing(Writing&&) = default;
  Writing& operator=(Writing&&) = delete;
  ~Writing();

  // How much is left to copy.
  Result<uint64_t> copy(uint64_t bytes_max);
  Result<struct stat> finish();

 private:
  Writing(UniqueFd parent, std::string name, const Source& source)
      : parent_(std::move(parent)), name_(std::move(name)), source_(source) {}

  UniqueFd parent_, part_;
  std::string name_, part_name_;
  Source source_;  // what is left
};

// All of it at once.
Result<struct stat> write_file(int root, std::string_view path, const Source& source);

// Why an entry of a directory would not be read; empty when it would.
std::string why_skipped(const struct stat& facts, uint64_t bytes_max);

}  // namespace capsule::beneath
