// What comes out of the pipe of a process that saves its namespace (worker/python/_capsule_checkpoint.py): frames of
// one byte of kind and eight of length, big-endian. Pure; the process at the other end is not trusted.
//
//   N  the name that is at work, UTF-8: should the process die, it was that
//   D  payload, as it comes
//   M  metadata, JSON: the last frame, the payload is whole
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace capsule {

class CheckpointStream {
 public:
  static constexpr size_t kNameBytes = 256;
  static constexpr size_t kMetadataBytes = 1 << 20;

  // Payload goes to `payload` as it comes, whose error ends the call. kInvalid: not such a stream; kTooLarge: a name or
  // metadata beyond its bound.
  Status take(std::string_view bytes, const std::function<Status(std::string_view)>& payload);

  bool is_complete() const { return complete_; }
  const std::string& name_at_work() const { return name_; }  // valid UTF-8
  const std::string& metadata() const { return metadata_; }  // valid UTF-8, not parsed

 private:
  Status begin_frame();
  void end_frame();

  std::string head_;  // of a frame, as far as it is there
  char kind_ = 0;
  uint64_t left_ = 0;  // of the frame
  std::string text_;   // of a name or of metadata
  std::string name_, metadata_;
  bool complete_ = false;
};

}  // namespace capsule
