// What the decoder must refuse. Each case is one sin; the refusal names the field where there is one.
#include <catch2/catch.hpp>

#include "protocol/codec.h"
#include "protocol/limits.h"
#include "tests/unit/protocol/msgpack_bytes.h"
#include "tests/unit/protocol/samples.h"

namespace capsule {
namespace {

using namespace raw;  // NOLINT: a vocabulary made for these tests

// The error's text, or "taken".
std::string refusal(std::string_view payload) {
  const auto message = decode(payload);
  return message ? "taken" : message.error().message;
}

Errc refusal_code(std::string_view payload) {
  const auto message = decode(payload);
  REQUIRE_FALSE(message);
  return message.error().code;
}

std::string ping_with_id(const std::string& value) { return message("ping", 1, str("id") + value); }

std::string nested_arrays(size_t depth) { return std::string(depth, '\x91') + kNil; }

}  // namespace

TEST_CASE("a payload that is not a map starting with type is refused") {
  const std::string expected = "not a map whose first entry is 'type'";
  for (const std::string& payload :
       {kNil, array(0), map(0), str("type"), std::string("\x01"), map(1) + str("kind") + str("ping"),
        map(1) + str("type") + "\x01", map(1) + "\x01" + str("ping"),
        map(2) + str("id") + "\x01" + str("type") + str("ping")}) {
    CHECK(refusal(payload) == expected);
  }
}

TEST_CASE("an unknown type is refused by name, with bad bytes replaced and long names cut") {
  CHECK(refusal(message("pong", 0, "")) == "unknown message type 'pong'");
  CHECK(refusal(message("\xFF", 0, "")) == "unknown message type '\xEF\xBF\xBD'");
  CHECK(refusal(message(std::string(10'000, 'x'), 0, "")).size() < 100);
}

TEST_CASE("names that are reserved for later are unknown types today") {
  for (const char* name : {"call", "reply"}) {
    CHECK(refusal(message(name, 0, "")) == "unknown message type '" + std::string(name) + "'");
  }
}

TEST_CASE("an unknown field is refused") {
  CHECK(refusal(message("ping", 2, str("id") + "\x01" + str("idd") + "\x01")) ==
        "ping: 'idd' is not a field of this message");
  CHECK(refusal(message("ping", 2, str("type") + str("ping") + str("id") + "\x01")) ==
        "ping: 'type' is not a field of this message");
}

TEST_CASE("a field that comes twice is refused") {
  CHECK(refusal(message("ping", 2, str("id") + "\x01" + str("id") + "\x01")) == "ping: 'id' comes twice");
}

TEST_CASE("a required field that is missing is named") {
  CHECK(refusal(message("ping", 0, "")) == "ping: 'id' is missing");
  CHECK(refusal(message("credit", 1, str("run_id") + str("r"))) == "credit: 'bytes' is missing");
}

TEST_CASE("a key that is not text is refused") {
  CHECK(refusal(message("ping", 1, std::string("\x01\x01"))) == "ping: has a key that is not a string");
}

TEST_CASE("values of a wrong type are refused") {
  for (const std::string& value : {kNil, kTrue, str("1"), bin("1"), array(0), map(0), f64(0x3FF0000000000000)}) {
    CHECK(refusal(ping_with_id(value)) == "ping: 'id' is not an integer");
  }
  CHECK(refusal(message("ping", 2, str("id") + "\x01" + str("execute") + "\x01")) ==
        "ping: 'execute' is not a boolean");
  CHECK(refusal(message("shutdown", 1, str("reason") + bin("x"))) == "shutdown: 'reason' is not a string");
  CHECK(refusal(message("document", 2, str("re") + "\x01" + str("json") + str("{}"))) ==
        "document: 'json' is not binary");
  CHECK(refusal(message("info", 2, str("id") + "\x01" + str("sections") + str("pools"))) ==
        "info: 'sections' is not an array");
  CHECK(refusal(message("heartbeat", 2, str("seq") + "\x01" + str("cpu_percent") + str("1"))) ==
        "heartbeat: 'cpu_percent' is not a number");
}

TEST_CASE("numbers out of range are refused, the ends of the range are taken") {
  CHECK(refusal(ping_with_id("\xFF")) == "ping: 'id' is negative");
  CHECK(refusal(ping_with_id(u64(UINT64_MAX))) == "taken");
  const auto output = [](const std::string& stream) {
    return message("output", 3, str("run_id") + str("r") + str("data") + bin("") + str("stream") + stream);
  };
  CHECK(refusal(output(u64(UINT32_MAX))) == "taken");
  CHECK(refusal(output(u64(1ULL << 32))) == "output: 'stream' is out of range");
  const auto finished = [](const std::string& status) {
    return message("finished", 3, str("run_id") + str("r") + str("verdict") + str("ok") + str("exit_status") + status);
  };
  CHECK(refusal(finished(i64(INT32_MIN))) == "taken");
  CHECK(refusal(finished(i64(INT32_MIN - 1LL))) == "finished: 'exit_status' is out of range");
  CHECK(refusal(finished(u64(INT32_MAX + 1ULL))) == "finished: 'exit_status' is out of range");
}

TEST_CASE("numbers that are not finite are refused") {
  const auto beat = [](uint64_t bits) {
    return message("heartbeat", 2, str("seq") + "\x01" + str("cpu_percent") + f64(bits));
  };
  CHECK(refusal(beat(0x7FF0000000000000)) == "heartbeat: 'cpu_percent' is not a finite number");
  CHECK(refusal(beat(0xFFF0000000000000)) == "heartbeat: 'cpu_percent' is not a finite number");
  CHECK(refusal(beat(0x7FF8000000000000)) == "heartbeat: 'cpu_percent' is not a finite number");
  CHECK(refusal(beat(0x4058E00000000000)) == "taken");
}

TEST_CASE("text that is not UTF-8 is refused") {
  CHECK(refusal(message("shutdown", 1, str("reason") + str("\xC0\x80"))) == "shutdown: 'reason' is not valid UTF-8");
}

TEST_CASE("a verdict outside the closed set is refused") {
  CHECK(refusal(message("finished", 2, str("run_id") + str("r") + str("verdict") + str("fine"))) ==
        "finished: 'verdict' is not a verdict");
}

TEST_CASE("an error inside a nested map names the way to it") {
  const std::string usage = map(1) + str("wall_us") + "\xFF";
  CHECK(refusal(message("finished", 3, str("run_id") + str("r") + str("verdict") + str("ok") + str("usage") + usage)) ==
        "finished: 'usage' 'wall_us' is negative");
}

TEST_CASE("a bundle with a key twice is refused") {
  const std::string bundle = map(2) + str("text/plain") + bin("a") + str("text/plain") + bin("b");
  CHECK(refusal(message("result", 2, str("run_id") + str("r") + str("data") + bundle)) ==
        "result: 'data' has the key 'text/plain' twice");
}

TEST_CASE("bytes after the message are refused") {
  CHECK(refusal(ping_with_id("\x01") + kNil) == "bytes after the end of the message");
}

TEST_CASE("every truncation of every golden message is refused") {
  for (const Sample& sample : samples()) {
    const std::string payload = encode(sample.message);
    for (size_t size = 0; size < payload.size(); ++size) {
      INFO(sample.name << " cut to " << size);
      CHECK_FALSE(decode(std::string_view(payload).substr(0, size)));
    }
  }
}

TEST_CASE("five-byte bombs are refused without believing their counts") {
  for (const char head : {'\xDD', '\xDF', '\xDB', '\xC6', '\xC9'}) {
    const std::string bomb = head + std::string(4, '\xFF');
    CHECK_FALSE(decode(bomb));
    CHECK_FALSE(decode(ping_with_id(bomb)));
  }
}

TEST_CASE("extension types are not part of the protocol") {
  CHECK_FALSE(decode(ping_with_id(std::string("\xD4\x01\x00", 3))));
  CHECK_FALSE(decode(ping_with_id(std::string("\xC7\x00\x01", 3))));
}

TEST_CASE("the byte that msgpack never uses is refused") {
  CHECK(refusal(ping_with_id("\xC1")) == "not valid msgpack");
}

TEST_CASE("nesting, entries and text beyond the limits are refused as too large") {
  CHECK(refusal_code(ping_with_id(nested_arrays(limits::kDepth + 1))) == Errc::kTooLarge);
  const std::string long_array = '\xDD' + big_endian(limits::kArrayEntries + 1, 4);
  CHECK(refusal_code(ping_with_id(long_array + std::string(limits::kArrayEntries + 1, '\x01'))) == Errc::kTooLarge);
  const std::string long_text(limits::kStringBytes + 1, 'x');
  CHECK(refusal_code(message("shutdown", 1, str("reason") + str(long_text))) == Errc::kTooLarge);
  CHECK(refusal(message("shutdown", 1, str("reason") + str(long_text.substr(1)))) == "taken");
}

TEST_CASE("code, file name, arguments and input beyond their limits are refused as too large") {
  Execute execute{.code = {std::string(limits::kCodeBytes + 1, 'x')}};
  CHECK(refusal_code(encode(execute)) == Errc::kTooLarge);
  execute.code.value.clear();
  execute.filename = std::string(limits::kFilenameBytes + 1, 'f');
  CHECK(refusal_code(encode(execute)) == Errc::kTooLarge);
  execute.filename.clear();
  execute.arguments.assign(limits::kArguments + 1, "a");
  CHECK(refusal_code(encode(execute)) == Errc::kTooLarge);
  CHECK(refusal_code(encode(Input{.run_id = "r", .data = {std::string(limits::kInputChunkBytes + 1, 'i')}})) ==
        Errc::kTooLarge);
}

TEST_CASE("a run takes as many secrets as its session may have, and its own context with them") {
  SessionRequest session;
  Execute execute;
  for (size_t n = 0; n < limits::kSecrets; ++n) session.secrets["V" + std::to_string(n)] = "x";
  execute.environment = session.secrets;
  execute.environment["TRACEPARENT"] = "x";
  CHECK(refusal(encode(session)) == "taken");
  CHECK(refusal(encode(execute)) == "taken");
  session.secrets["ONE_MORE"] = execute.environment["ONE_MORE"] = "x";
  CHECK(refusal_code(encode(session)) == Errc::kTooLarge);
  CHECK(refusal_code(encode(execute)) == Errc::kTooLarge);
}

TEST_CASE("a frame full of tiny values is refused before it is turned into objects") {
  const std::string row = '\xDC' + big_endian(limits::kArrayEntries, 2) + std::string(limits::kArrayEntries, '\x01');
  std::string rows = '\xDC' + big_endian(1024, 2);
  for (int i = 0; i < 1024; ++i) rows += row;
  CHECK(refusal(ping_with_id(rows)) == "more entries, bytes or nesting than a message may have");
}

}  // namespace capsule
