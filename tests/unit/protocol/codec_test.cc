#include "protocol/codec.h"

#include <array>
#include <catch2/catch.hpp>
#include <limits>

#include "protocol/frame.h"
#include "tests/unit/protocol/msgpack_bytes.h"
#include "tests/unit/protocol/samples.h"

namespace capsule {

TEST_CASE("a frame is the header and the payload of the message") {
  for (const Sample& sample : samples()) {
    INFO(sample.name);
    CHECK(encode_frame(sample.message) == make_frame(encode(sample.message)));
  }
}

TEST_CASE("a field at its default is not sent") {
  CHECK(encode(Ping{.id = 1}) == raw::message("ping", 1, raw::str("id") + "\x01"));
  CHECK(encode(Shutdown{}) == raw::message("shutdown", 0, ""));
}

TEST_CASE("fields may come in any order after the type") {
  const auto message = decode(raw::message("cancel", 2, raw::str("run_id") + raw::str("r") + raw::str("id") + "\x07"));
  REQUIRE(message);
  CHECK(*message == Message(Cancel{.id = 7, .run_id = "r"}));
}

TEST_CASE("an absent exit code and an exit code of zero are different") {
  Finished finished{.run_id = "r"};
  CHECK(std::get<Finished>(*decode(encode(finished))).evidence.exit_code == std::nullopt);
  finished.evidence.exit_code = 0;
  CHECK(std::get<Finished>(*decode(encode(finished))).evidence.exit_code == 0);
}

TEST_CASE("the largest and the smallest numbers survive") {
  const Message exited = Exited{.pid = std::numeric_limits<int64_t>::max(),
                                .status = std::numeric_limits<int64_t>::min(),
                                .user_us = std::numeric_limits<uint64_t>::max()};
  CHECK(decode(encode(exited)) == exited);
}

TEST_CASE("a number that happens to be whole is still the number it was") {
  for (const double percent : {100.0, 1.0, -3.0, 0.5, 6520832.0, 1e20}) {
    const Message beat = Heartbeat{.seq = 1, .cpu_percent = percent};
    CHECK(decode(encode(beat)) == beat);
  }
  const auto float32 = decode(raw::message(
      "heartbeat", 2, raw::str("seq") + "\x01" + raw::str("cpu_percent") + std::string("\xCA\x3F\x00\x00\x00", 5)));
  REQUIRE(float32);
  CHECK(std::get<Heartbeat>(*float32).cpu_percent == 0.5);
}

TEST_CASE("code of the largest size fits into one frame") {
  const Message execute = Execute{.code = {std::string(limits::kCodeBytes, 'x')}};
  const std::string payload = encode(execute);
  CHECK(payload.size() <= limits::kFrameBytes);
  CHECK(decode(payload) == execute);
}

TEST_CASE("bytes need not be text") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const Message input = Input{.run_id = "r", .data = {all}};
  CHECK(decode(encode(input)) == input);
}

TEST_CASE("an output prefix and its data are the frame of that output") {
  for (const size_t size : {0UL, 1UL, 255UL, 256UL, 65'535UL, 65'536UL, limits::kOutputChunkBytes}) {
    const std::string data(size, 'd');
    Output output{.run_id = "run", .stream = 1, .seq = 300, .offset = 70'000, .late = size == 1};
    const std::string prefix = encode_output_prefix(output, size);
    output.data.value = data;
    CHECK(prefix + data == encode_frame(output));
  }
}

TEST_CASE("a heartbeat with the largest values fits into its fixed frame") {
  const Heartbeat largest{.seq = UINT64_MAX,
                          .rss_bytes = UINT64_MAX,
                          .cpu_percent = std::numeric_limits<double>::max(),
                          .threads = UINT32_MAX,
                          .namespace_names = UINT64_MAX,
                          .uptime_ms = UINT64_MAX};
  std::array<char, kHeartbeatFrameBytes> into{};
  const size_t used = encode_heartbeat_frame(largest, into);
  CHECK(std::string_view(into.data(), used) == encode_frame(largest));
}

TEST_CASE("an ack in fixed memory is the ack of the codec") {
  for (const uint64_t re : std::initializer_list<uint64_t>{0, 127, 128, 65'536, UINT64_MAX}) {
    std::array<char, kHeartbeatFrameBytes> into{};
    const size_t used = encode_ack_frame(re, into);
    CHECK(std::string_view(into.data(), used) == encode_frame(Ack{.re = re}));
  }
}

TEST_CASE("type_of is the word on the wire") {
  CHECK(type_of(ResultValue{}) == "result");
  CHECK(type_of(ErrorReply{}) == "error");
}

}  // namespace capsule
