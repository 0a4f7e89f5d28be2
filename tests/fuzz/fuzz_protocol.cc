// libFuzzer target: bytes from a peer, in any pieces. Nothing may crash, overrun or disagree with itself:
// - a FrameDecoder gives the same payloads however the stream is split;
// - what the codec takes, it writes again as a message that reads back equal;
// - peek sees in it the type that the codec saw.
// The first byte of the input seeds the splits; the rest is the stream.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/codec.h"
#include "protocol/frame.h"
#include "protocol/peek.h"

namespace {

using capsule::decode;
using capsule::encode;
using capsule::FrameDecoder;
using capsule::Message;

void require(bool condition) {
  if (!condition) std::abort();
}

// Everything that next() gives now; whether the stream is still good.
bool take(FrameDecoder& decoder, std::vector<std::string>& payloads) {
  for (;;) {
    const auto payload = decoder.next();
    if (!payload) return false;
    if (!*payload) return true;
    payloads.emplace_back(**payload);
  }
}

std::vector<std::string> payloads_of(std::string_view stream, uint32_t piece_seed) {
  FrameDecoder decoder;
  std::vector<std::string> payloads;
  uint32_t random = piece_seed;
  while (!stream.empty()) {
    random = random * 1'664'525 + 1'013'904'223;
    const size_t piece = piece_seed == 0 ? stream.size() : std::min<size_t>(1 + (random >> 24) % 17, stream.size());
    decoder.feed(stream.substr(0, piece));
    stream.remove_prefix(piece);
    if (!take(decoder, payloads)) break;
  }
  return payloads;
}

void check_peek(std::string_view payload) {
  capsule::peek::type(payload);
  for (const char* field : {"id", "run_id", "execute", "data"}) {
    capsule::peek::text(payload, field);
    capsule::peek::number(payload, field);
    capsule::peek::flag(payload, field);
  }
}

void check_payload(std::string_view payload) {
  check_peek(payload);
  const auto message = decode(payload);
  if (!message) return;
  require(capsule::peek::type(payload) == capsule::type_of(*message));
  const std::string written = encode(*message);
  const auto again = decode(written);
  require(again && *again == *message);
  require(encode(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto payloads = payloads_of(stream, 0);
  require(payloads == payloads_of(stream, 1U + data[0]));
  for (const std::string& payload : payloads) check_payload(payload);
  check_payload(stream);
  return 0;
}
