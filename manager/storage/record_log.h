// What happened to runs, as it happened: protocol frames appended to numbered files. A write is a copy into the page
// cache, so what was appended survives the manager's death at any instant after it; a power failure costs what was
// not synced yet (RecordStore::sync).
//
// The writer belongs to the loop's thread, readers to the storage thread. They share nothing but the files: a reader
// that meets the end of a file goes on to the next one as soon as there is one.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "protocol/frame.h"

namespace capsule {

inline constexpr uint64_t kLogSegmentBytes = 8u << 20;  // a file that is longer is followed by the next one

struct LogPosition {
  uint64_t segment = 0, offset = 0;
  auto operator<=>(const LogPosition&) const = default;
};

std::string segment_name(uint64_t segment);
std::string damaged_name(uint64_t segment);  // of one that is kept because it was damaged
// Those of a directory, oldest first.
Result<std::vector<uint64_t>> segments_in(int directory);

class RecordLogWriter {
 public:
  // `directory` is not owned and outlives the writer. Begins with a new file, `first`.
  RecordLogWriter(int directory, uint64_t first) : directory_(directory), segment_(first) {}

  static constexpr const char* kRemoved = "the directory of records was removed: restart the manager";

  // Whole frames. After an error nothing of it counts as written: the rest of that file is left alone. So is a file
  // that somebody has removed: what is written to it would be gone.
  Status append(std::string_view frames);
  // Nothing can be written any more, whatever the disk has room for.
  bool is_removed() const;

  uint64_t segment() const { return segment_; }
  uint64_t appended_bytes() const { return appended_bytes_; }  // since the start

 private:
  Status open_segment();

  int directory_;
  uint64_t segment_;
  UniqueFd file_;
  uint64_t segment_bytes_ = 0, appended_bytes_ = 0;
};

class RecordLogReader {
 public:
  RecordLogReader(int directory, uint64_t first) : directory_(directory), at_{first, 0} {}

  struct Frame {
    LogPosition at;
    std::string_view payload;  // valid until the next call
  };
  // nullopt: the end, for now.
  Result<std::optional<Frame>> next();

  LogPosition position() const { return at_; }
  uint64_t read_bytes() const { return read_bytes_; }  // of whole frames, over all files
  // Where in which files something is no frame. What follows in such a file is not read: nothing marks where the next
  // frame begins, and what programs wrote could pass for one.
  const std::map<uint64_t, uint64_t>& damaged() const { return damaged_; }
  // A whole frame that says nothing; reading goes on after it.
  void note_damage(LogPosition at) { damaged_.emplace(at.segment, at.offset); }

 private:
  Result<size_t> fill();
  bool has_next_segment() const;
  void next_segment();

  int directory_;
  LogPosition at_;
  UniqueFd file_;
  FrameDecoder decoder_;
  uint64_t filled_to_ = 0, read_bytes_ = 0;
  std::map<uint64_t, uint64_t> damaged_;
};

}  // namespace capsule
