// traces.jsonl: one OTLP object a line, for whoever has no collector or reads it later (a collector's otlpjsonfile
// receiver does). For one thread. Written, not synced: a power failure can cost the last seconds.
//
// A file that has reached its size becomes traces.1.jsonl, that one traces.2.jsonl; the oldest goes. A directory has
// one writer: the next manager on the same state directory takes the next one, traces.2 to traces.8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule {

class SpanFile {
 public:
  struct Limits {
    uint64_t file_bytes = 0;  // a file is cut once it has so many
    uint64_t files = 1;       // with the one that is written to
  };

  static constexpr int kDirectories = 8;

  // Makes the directory when it is missing; its parent has to exist.
  static Result<SpanFile> open(const std::string& directory, Limits limits);

  const std::string& directory() const { return directory_; }

  // A line that could not be written whole is taken off again.
  Status append(std::string_view line);

 private:
  SpanFile(std::string directory, Limits limits, UniqueFd lock)
      : directory_(std::move(directory)), limits_(limits), lock_(std::move(lock)) {}
  std::string path(uint64_t number) const;
  Status open_current();
  Status rotate();
  bool is_removed() const;

  std::string directory_;
  Limits limits_;
  UniqueFd lock_;  // of the directory
  UniqueFd file_;
  uint64_t size_bytes_ = 0;
};

}  // namespace capsule
