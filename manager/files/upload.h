// Files on their way into a workspace: kept in memory (one memfd an upload) until a run or a session takes them. The
// bytes are written as they come and never read by the manager.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
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
  // Into the workspace, each file as a whole. What was written before a failure stays.
  Result<Manifest> store(const Workspace& workspace) const;

  uint64_t bytes() const { return bytes_; }

 private:
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

}  // namespace capsule
