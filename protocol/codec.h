// Messages to payloads and back. The only user of msgpack. Strict: the first entry is `type`; unknown types, unknown
// or doubled fields, wrong types, numbers out of range, bad UTF-8 in text and anything after the map are errors.
// Bounded before it allocates (limits.h): msgpack-cxx itself would believe a count of 2^32 in a five-byte frame.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/limits.h"
#include "protocol/message.h"

namespace capsule {

Result<Message> decode(std::string_view payload);

std::string encode(const Message& message);        // payload only
std::string encode_frame(const Message& message);  // length prefix and payload

// Frame header and payload of an `output` up to, not including, the bytes of `data`; they follow in a gather write.
std::string encode_output_prefix(const Output& without_data, size_t data_bytes);

// The whole frame into `into` without allocating; the bytes used. For the worker's link thread. `into` must hold
// kHeartbeatFrameBytes.
inline constexpr size_t kHeartbeatFrameBytes = 256;
size_t encode_heartbeat_frame(const Heartbeat& heartbeat, std::span<char> into);
size_t encode_ack_frame(uint64_t re, std::span<char> into);
// `into` must hold kStackFrameBytes; `text` has at most limits::kStackBytes.
inline constexpr size_t kStackFrameBytes = limits::kStackBytes + 256;
size_t encode_stack_frame(std::string_view run_id, std::string_view text, std::span<char> into);

}  // namespace capsule
