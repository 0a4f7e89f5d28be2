// Reads checkpoints, and believes nothing that is in them. For the storage thread: each call may wait for the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "manager/storage/checkpoint_format.h"

struct ZSTD_DCtx_s;

namespace capsule {

struct CheckpointInfo {
  CheckpointHeader header;
  CheckpointTrailer trailer;
  std::string metadata;  // JSON, as it was written; its digest was checked
  uint64_t file_bytes = 0;
};

// Header, trailer and metadata, and not the payload between them.
Result<CheckpointInfo> read_checkpoint_info(int file);

// Bytes of a checkpoint as it is, to hand them out: at most kStorageSliceBytes, less only at the end.
Result<std::string> read_stored(int file, uint64_t at, uint64_t file_bytes);

// The digest of a whole file, slice by slice, so that other jobs get their turn.
class CheckpointCheck {
 public:
  CheckpointCheck(int file, const CheckpointInfo& info);  // `file` is the caller's and stays open
  // True: all of it was read and is as it was written. Reads at most `bytes` more.
  Result<bool> step(uint64_t bytes);

 private:
  int file_;
  uint64_t at_ = 0, end_;
  Digest expected_;
  Sha256 sum_;
};

// The payload as it was before it was compressed. The last slice comes only if the whole file is as it was written.
class CheckpointPayload {
 public:
  static Result<CheckpointPayload> open(UniqueFd file, CheckpointInfo info);
  CheckpointPayload(CheckpointPayload&&) noexcept;
  CheckpointPayload& operator=(CheckpointPayload&&) noexcept;
  ~CheckpointPayload();

  // At most kStorageSliceBytes; empty at the end.
  Result<std::string> next();
  const CheckpointInfo& info() const { return info_; }

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  CheckpointPayload(UniqueFd file, CheckpointInfo info);
  Status refill();
  Status check_end();

  UniqueFd file_;
  CheckpointInfo info_;
  std::unique_ptr<ZSTD_DCtx_s, Free> decompressor_;
  Sha256 sum_;
  std::string in_;          // compressed
  size_t in_at_ = 0;        // of it, used
  uint64_t stored_at_ = 0;  // bytes of the stored payload read
  uint64_t given_ = 0;
  bool frame_ended_ = false;
};

}  // namespace capsule
