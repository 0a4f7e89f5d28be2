#include "protocol/frame.h"

#include <cassert>

namespace capsule {
namespace {
constexpr size_t kKeepCapacityBytes = 256u << 10;  // a buffer that one large frame grew is given back
}

std::array<char, limits::kFrameHeaderBytes> frame_header(uint32_t payload_bytes) {
  return {static_cast<char>(payload_bytes >> 24), static_cast<char>(payload_bytes >> 16),
          static_cast<char>(payload_bytes >> 8), static_cast<char>(payload_bytes)};
}

uint32_t read_frame_header(std::span<const char, limits::kFrameHeaderBytes> header) {
  uint32_t length = 0;
  for (const char byte : header) length = length << 8 | static_cast<uint8_t>(byte);
  return length;
}

std::string make_frame(std::string_view payload) {
  assert(!payload.empty() && payload.size() <= limits::kFrameBytes);
  const auto header = frame_header(static_cast<uint32_t>(payload.size()));
  std::string frame;
  frame.reserve(header.size() + payload.size());
  frame.append(header.data(), header.size());
  frame.append(payload);
  return frame;
}

void FrameDecoder::feed(std::string_view bytes) {
  compact();
  buffer_.append(bytes);
}

Result<std::optional<std::string_view>> FrameDecoder::next() {
  const std::string_view rest = std::string_view(buffer_).substr(consumed_);
  if (rest.size() < limits::kFrameHeaderBytes) return std::nullopt;
  const uint32_t length =
      read_frame_header(std::span<const char, limits::kFrameHeaderBytes>(rest.data(), limits::kFrameHeaderBytes));
  if (length == 0) return failure(Errc::kInvalid, "frame of length 0");
  if (length > max_) {
    return failure(Errc::kTooLarge, "frame of " + std::to_string(length) + " bytes; at most " + std::to_string(max_) +
                                        " are taken here");
  }
  if (rest.size() < limits::kFrameHeaderBytes + length) return std::nullopt;
  consumed_ += limits::kFrameHeaderBytes + length;
  return rest.substr(limits::kFrameHeaderBytes, length);
}

void FrameDecoder::compact() {
  if (consumed_ == 0) return;
  buffer_.erase(0, consumed_);
  consumed_ = 0;
  if (buffer_.capacity() > kKeepCapacityBytes && buffer_.size() < kKeepCapacityBytes) buffer_.shrink_to_fit();
}

}  // namespace capsule
