#include "worker/sandbox/tree_fingerprint.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "worker/sandbox/copy_tree.h"

namespace capsule::sandbox {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

// FNV-1a, 64 bits (Fowler, Noll, Vo).
class Hash {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) add_word(static_cast<unsigned char>(byte));
  }
  // Eight bytes a step: of much, and only to be compared with itself.
  void add_much(std::string_view bytes) {
    for (; bytes.size() >= sizeof(uint64_t); bytes.remove_prefix(sizeof(uint64_t))) {
      uint64_t word = 0;
      std::memcpy(&word, bytes.data(), sizeof word);
      add_word(word);
    }
    add(bytes);
  }
  void add(const timespec& time) {
    add_number(static_cast<uint64_t>(time.tv_sec));
    add_number(static_cast<uint64_t>(time.tv_nsec));
  }
  void add_number(uint64_t number) {
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    add(std::string_view(bytes, sizeof bytes));
  }
  uint64_t value() const { return value_; }

 private:
  void add_word(uint64_t word) { value_ = (value_ ^ word) * 0x100000001b3; }

  uint64_t value_ = 0xcbf29ce484222325;
};

class Walk {
 public:
  bool directory(int at, int depth) {
    if (depth > kCopyDepthMax) return false;
    const int again = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, CloseDirectory> entries(again < 0 ? nullptr : fdopendir(again));
    if (!entries) return false;
    while (const dirent* entry = readdir(entries.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++entries_ > kFingerprintEntries || !one(dirfd(entries.get()), entry->d_name, depth)) return false;
    }
    return true;
  }
  uint64_t value() const { return hash_.value(); }

 private:
  bool one(int at, const char* name, int depth) {
    struct stat info {};
    if (fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return false;
    hash_.add(std::string_view(name, std::strlen(name) + 1));
    for (const uint64_t number : {static_cast<uint64_t>(info.st_ino), static_cast<uint64_t>(info.st_size),
                                  static_cast<uint64_t>(info.st_mode)}) {
      hash_.add_number(number);
    }
    hash_.add(info.st_mtim);
    hash_.add(info.st_ctim);
    if (S_ISREG(info.st_mode)) return content(at, name, static_cast<uint64_t>(info.st_size));
    if (!S_ISDIR(info.st_mode)) return true;
    const UniqueFd below(openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return below ? directory(below.get(), depth + 1) : errno == EACCES;  // not copied either
  }

  bool content(int at, const char* name, uint64_t size) {
    if (size > kFingerprintBytes - bytes_) return false;
    const UniqueFd file(openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file) return errno == EACCES;  // not copied either
    for (;;) {
      const ssize_t got = read(file.get(), buffer_.data(), buffer_.size());
      if (got <= 0) return got == 0;
      bytes_ += static_cast<uint64_t>(got);
      if (bytes_ > kFingerprintBytes) return false;
      hash_.add_much({buffer_.data(), static_cast<size_t>(got)});
    }
  }

  Hash hash_;
  size_t entries_ = 0;
  uint64_t bytes_ = 0;
  std::array<char, 32u << 10> buffer_{};
};

}  // namespace

std::optional<uint64_t> fingerprint_of(int directory) {
  Walk walk;
  if (!walk.directory(directory, 0)) return std::nullopt;
  return walk.value();
}

bool are_current(std::span<const CopiedPlace> places) {
  return std::all_of(places.begin(), places.end(), [](const CopiedPlace& place) {
    return place.fingerprint && fingerprint_of(place.source.get()) == place.fingerprint;
  });
}

}  // namespace capsule::sandbox
