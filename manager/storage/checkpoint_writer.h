// Writes one checkpoint into a file that nobody else knows yet. For the storage thread: each call may wait for the
// disk.
//
// After an error the writer is of no more use; destroying it leaves the file to its owner, who removes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "manager/storage/checkpoint_format.h"

struct ZSTD_CCtx_s;

namespace capsule {

class CheckpointWriter {
 public:
  // `file` is empty and open for writing. kTooLarge once it would have more than `bytes_max`.
  static Result<CheckpointWriter> create(UniqueFd file, PythonVersion python, uint64_t bytes_max);
  CheckpointWriter(CheckpointWriter&&) noexcept;
  CheckpointWriter& operator=(CheckpointWriter&&) noexcept;
  ~CheckpointWriter();

  // The next bytes of the payload. kTooLarge: the limit, or the disk is full.
  Status append(std::string_view payload);
  // Metadata and trailer, then fsync. `metadata` is JSON.
  Status finish(std::string_view metadata);

  uint64_t file_bytes() const { return file_bytes_; }
  const CheckpointLengths& lengths() const { return lengths_; }

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  CheckpointWriter(UniqueFd file, uint64_t bytes_max);
  Status write(std::string_view bytes);
  Status compress(std::string_view payload, int directive);

  UniqueFd file_;
  std::unique_ptr<ZSTD_CCtx_s, Free> compressor_;
  std::string out_;     // of the compressor
  std::string header_;  // the metadata's digest covers it
  Sha256 sum_;
  uint64_t bytes_max_ = 0, file_bytes_ = 0;
  CheckpointLengths lengths_;
};

// What is said when a file cannot grow.
tl::unexpected<Error> write_failure(std::string_view what);

}  // namespace capsule
