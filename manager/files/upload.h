// Files on their way into a workspace: kept in memory (one memfd an upload) until a run or a session takes them. The
// bytes are written as they come and never read by the manager.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "manager/files/beneath.h"
#include "manager/files/workspace.h"
#include "protocol/message.h"

namespace capsule {

// Tells an uploaded file from what a program made of it.
struct FileStamp {
  ino_t inode = 0;
  off_t size = 0;
  timespec modified{};
  bool is(const struct stat& facts) const;
};
using Manifest = std::map<std::string, FileStamp>;

struct UploadLimits {
  size_t files_max = 0;
  uint64_t bytes_max = 0;
};

class Upload {
 public:
  static Result<std::unique_ptr<Upload>> make();

  Status put(const FilePut& piece, const UploadLimits& limits);
  uint64_t bytes() const { return bytes_; }

 private:
  friend class Storing;
  struct Item {
    std::string path;
    uint64_t offset = 0, bytes = 0;
    mode_t mode = 0;
  };
  explicit Upload(UniqueFd memory) : memory_(std::move(memory)) {}

  UniqueFd memory_;
  std::vector<Item> items_;
  std::map<std::string, size_t> by_path_;
  uint64_t bytes_ = 0;
};

// Puts an upload into a workspace, a bounded slice at a time, each file as a whole. What was written before a failure
// or an early end stays.
class Storing {
 public:
  static constexpr uint64_t kSliceBytes = 1u << 20;  // about a millisecond
  static constexpr size_t kSliceFiles = 32;

  Storing(std::shared_ptr<const Upload> upload, std::shared_ptr<const Workspace> workspace)
      : upload_(std::move(upload)), workspace_(std::move(workspace)) {}
  ~Storing();
  Storing(const Storing&) = delete;
  Storing& operator=(const Storing&) = delete;

  // True: all is there.
  Result<bool> step();
  Manifest take_manifest() { return std::move(manifest_); }

 private:
  Result<uint64_t> store_some(uint64_t bytes_max);  // how many of the bytes it used

  std::shared_ptr<const Upload> upload_;
  std::shared_ptr<const Workspace> workspace_;
  size_t next_ = 0;  // of its items
  std::optional<beneath::Writing> writing_;
  Manifest manifest_;
};

}  // namespace capsule
