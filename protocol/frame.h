// Frames: a 4-byte big-endian length, then that many bytes of payload. Sans-I/O: bytes in, payloads out.
// Grammar and worked bytes: PROTOCOL.md §1.
//
// The decoder believes a length only as far as bytes have arrived: a header that promises 16 MiB costs 4 bytes
// until they come. A length of 0 or above the maximum is an error, and the stream cannot be used after it.
// One decoder belongs to one connection and one thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/limits.h"

namespace capsule {

std::array<char, limits::kFrameHeaderBytes> frame_header(uint32_t payload_bytes);
uint32_t read_frame_header(std::span<const char, limits::kFrameHeaderBytes> header);

// Header and payload in one string. The payload must be 1..kFrameBytes long (asserted: it is ours).
std::string make_frame(std::string_view payload);

class FrameDecoder {
 public:
  explicit FrameDecoder(size_t max_payload_bytes = limits::kFrameBytes) : max_(max_payload_bytes) {}

  void feed(std::string_view bytes);

  // The next whole payload, valid until the next call of feed() or next(); nullopt when more bytes are needed.
  Result<std::optional<std::string_view>> next();

  // A first frame may have a smaller maximum than the ones after it.
  void set_max_payload(size_t bytes) { max_ = bytes; }

  size_t buffered() const { return buffer_.size() - consumed_; }
  bool is_mid_frame() const { return buffered() != 0; }

 private:
  void compact();

  size_t max_;
  std::string buffer_;
  size_t consumed_ = 0;
};

}  // namespace capsule
