// The bytes of each message are fixed in tests/golden/protocol. The .json beside each .bin is what an independent
// msgpack reader makes of it. CAPSULE_ACCEPT_GOLDEN=1 writes both anew, and fails so that nobody leaves it on.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/utf8.h"
#include "protocol/codec.h"
#include "tests/unit/protocol/for_each_message.h"
#include "tests/unit/protocol/samples.h"
#include "tests/unit/protocol/source_files.h"

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;

bool is_accepting() { return std::getenv("CAPSULE_ACCEPT_GOLDEN") != nullptr; }

std::string golden_path(const Sample& sample, const char* suffix) {
  return source_path("tests/golden/protocol/" + sample.name + suffix);
}

std::string binary_text(const Json::binary_t& bytes) {
  const std::string raw(bytes.begin(), bytes.end());
  if (is_valid_utf8(raw)) return "bin " + raw;
  std::string hex = "hex";
  for (const uint8_t byte : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += {' ', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return hex;
}

// JSON has no binary: shown as text where it is text, else in hexadecimal.
void make_readable(Json& value) {
  if (value.is_binary()) {
    value = binary_text(value.get_binary());
  } else if (value.is_structured()) {
    for (auto& item : value) make_readable(item);
  }
}

std::string readable(std::string_view payload) {
  Json value = Json::from_msgpack(payload.begin(), payload.end());
  make_readable(value);
  return value.dump(2) + "\n";
}

void accept(const Sample& sample) {
  const std::string bytes = encode(sample.message);
  std::ofstream(golden_path(sample, ".bin"), std::ios::binary) << bytes;
  std::ofstream(golden_path(sample, ".json"), std::ios::binary) << readable(bytes);
}

template <class T>
int fields_at_default(const T& message) {
  int at_default = 0;
  auto count = [&at_default](std::string_view, const auto& value, fields::Need) {
    if (value == std::remove_cvref_t<decltype(value)>{}) ++at_default;
  };
  T copy = message;
  fields::visit(count, copy);
  return at_default;
}

}  // namespace

TEST_CASE("golden bytes are not being rewritten") {
  if (!is_accepting()) return;
  for (const Sample& sample : samples()) accept(sample);
  FAIL("CAPSULE_ACCEPT_GOLDEN is set: the golden files were rewritten; read the diff and run again without it");
}

TEST_CASE("each message is written as its golden bytes") {
  for (const Sample& sample : samples()) {
    INFO(sample.name);
    const auto golden = read_whole(golden_path(sample, ".bin"));
    REQUIRE(golden);
    CHECK(encode(sample.message) == *golden);
  }
}

TEST_CASE("each golden file is read as its message") {
  for (const Sample& sample : samples()) {
    INFO(sample.name);
    const auto golden = read_whole(golden_path(sample, ".bin"));
    REQUIRE(golden);
    const auto message = decode(*golden);
    REQUIRE(message);
    CHECK(*message == sample.message);
  }
}

TEST_CASE("another msgpack library reads the same from each golden file") {
  for (const Sample& sample : samples()) {
    INFO(sample.name);
    const auto golden = read_whole(golden_path(sample, ".bin"));
    const auto twin = read_whole(golden_path(sample, ".json"));
    REQUIRE((golden && twin));
    CHECK(readable(*golden) == *twin);
  }
}

TEST_CASE("each type of the variant has a minimal and a full golden message") {
  std::set<std::string> names;
  for (const Sample& sample : samples()) names.insert(sample.name);
  size_t types = 0;
  for_each_message([&](const auto& message) {
    ++types;
    CHECK(names.contains(std::string(message.kType) + "-minimal"));
    CHECK(names.contains(std::string(message.kType) + "-full"));
  });
  CHECK(names.size() == 2 * types);
}

TEST_CASE("a full golden message has no field at its default") {
  for (const Sample& sample : samples()) {
    if (!sample.name.ends_with("-full")) continue;
    std::visit(
        [&](const auto& message) {
          INFO(sample.name);
          CHECK(fields_at_default(message) == 0);
        },
        sample.message);
  }
}

}  // namespace capsule
