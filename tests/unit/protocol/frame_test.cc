#include "protocol/frame.h"

#include <catch2/catch.hpp>
#include <random>

namespace capsule {
namespace {

// What next() gives now, or the error's code in brackets, or "-" when more is needed.
std::string next_of(FrameDecoder& decoder) {
  const auto payload = decoder.next();
  if (!payload) return "[" + std::string(to_string(payload.error().code)) + "]";
  return *payload ? std::string(**payload) : "-";
}

std::string header_of(uint32_t length) {
  const auto header = frame_header(length);
  return {header.data(), header.size()};
}

}  // namespace

TEST_CASE("a frame is its length in four big-endian bytes and its payload") {
  CHECK(make_frame("abc") == std::string("\0\0\0\3abc", 7));
  CHECK(header_of(0x01020304) == "\x01\x02\x03\x04");
}

TEST_CASE("a header reads back as the length it was made of") {
  for (const uint32_t length : {0U, 1U, 255U, 256U, 65'535U, 1U << 24, 0xFFFFFFFFU}) {
    CHECK(read_frame_header(frame_header(length)) == length);
  }
}

TEST_CASE("payloads come out whole and in order however the bytes are split") {
  const uint32_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::string stream;
  std::vector<std::string> sent;
  for (size_t i = 0; i < 200; ++i) {
    sent.emplace_back(1 + random() % 300, static_cast<char>('a' + i % 26));
    stream += make_frame(sent.back());
  }
  std::vector<std::string> received;
  FrameDecoder decoder;
  for (size_t at = 0; at < stream.size();) {
    const size_t piece = std::min<size_t>(random() % 50, stream.size() - at);
    decoder.feed(std::string_view(stream).substr(at, piece));
    at += piece;
    for (std::string payload = next_of(decoder); payload != "-"; payload = next_of(decoder)) {
      received.push_back(payload);
    }
  }
  CHECK(received == sent);
  CHECK(decoder.buffered() == 0);
}

TEST_CASE("a decoder that holds part of a frame says so") {
  FrameDecoder decoder;
  CHECK_FALSE(decoder.is_mid_frame());
  decoder.feed(std::string_view("\0\0\0", 3));
  CHECK(next_of(decoder) == "-");
  CHECK(decoder.is_mid_frame());
  decoder.feed("\1x");
  CHECK(next_of(decoder) == "x");
  CHECK_FALSE(decoder.is_mid_frame());
}

TEST_CASE("a length of zero is an error") {
  FrameDecoder decoder;
  decoder.feed(header_of(0));
  CHECK(next_of(decoder) == "[invalid]");
}

TEST_CASE("a length above the maximum is an error before its bytes arrive") {
  FrameDecoder decoder;
  decoder.feed(header_of(limits::kFrameBytes + 1));
  CHECK(next_of(decoder) == "[too_large]");
  FrameDecoder huge;
  huge.feed(header_of(0xFFFFFFFF));
  CHECK(next_of(huge) == "[too_large]");
}

TEST_CASE("the maximum itself is taken") {
  FrameDecoder decoder(10);
  decoder.feed(make_frame("0123456789"));
  CHECK(next_of(decoder) == "0123456789");
  decoder.feed(make_frame("0123456789a"));
  CHECK(next_of(decoder) == "[too_large]");
}

TEST_CASE("an error stays: nothing after it is believed") {
  FrameDecoder decoder;
  decoder.feed(header_of(0));
  CHECK(next_of(decoder) == "[invalid]");
  decoder.feed(make_frame("good"));
  CHECK(next_of(decoder) == "[invalid]");
}

TEST_CASE("the maximum can be raised between frames") {
  FrameDecoder decoder(4);
  decoder.feed(make_frame("hey") + make_frame("longer than four"));
  CHECK(next_of(decoder) == "hey");
  decoder.set_max_payload(100);
  CHECK(next_of(decoder) == "longer than four");
}

TEST_CASE("a promised length costs no memory until its bytes arrive") {
  FrameDecoder decoder;
  decoder.feed(header_of(limits::kFrameBytes));
  CHECK(next_of(decoder) == "-");
  CHECK(decoder.buffered() == limits::kFrameHeaderBytes);
}

}  // namespace capsule
