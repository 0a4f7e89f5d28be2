// A file without a name that stands in for stdout, stderr or stdin.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "base/posix_io.h"
#include "base/unique_fd.h"

namespace capsule::cli {

class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content = {}) : fd_(memfd_create("test", MFD_CLOEXEC)) {
    REQUIRE(write_all(fd_.get(), content));
    REQUIRE(lseek(fd_.get(), 0, SEEK_SET) == 0);
  }

  int fd() const { return fd_.get(); }

  std::string text() const {
    std::string out(static_cast<size_t>(lseek(fd_.get(), 0, SEEK_END)), '\0');
    REQUIRE(pread(fd_.get(), out.data(), out.size(), 0) == static_cast<ssize_t>(out.size()));
    return out;
  }

 private:
  UniqueFd fd_;
};

// A directory that is gone with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace capsule::cli
