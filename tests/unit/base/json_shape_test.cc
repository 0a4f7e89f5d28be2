#include "base/json_shape.h"

#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kAny = std::numeric_limits<size_t>::max();

std::string nested(size_t levels, const std::string& open, const std::string& close) {
  std::string text;
  for (size_t n = 0; n < levels; ++n) text += open;
  text += "1";
  for (size_t n = 0; n < levels; ++n) text += close;
  return text;
}

std::string list_of(size_t count) {
  std::string text = "[0";
  for (size_t n = 1; n < count; ++n) text += ",0";
  return text + "]";
}

}  // namespace

TEST_CASE("the depth of a JSON text is that of its brackets, and none of those in strings") {
  CHECK(json_shape("").depth == 0);
  CHECK(json_shape("17").depth == 0);
  CHECK(json_shape("[]").depth == 1);
  CHECK(json_shape(R"([1,[2],{"a":[3]},[]])").depth == 3);
  CHECK(json_shape(R"({"[[[[":"{{{{\"[[["})").depth == 1);
  CHECK(json_shape(R"(["\\",[1]])").depth == 2);
  CHECK(json_shape("]]]]]]").depth == 0);
  CHECK(json_shape("[[[[").depth == 4);
}

TEST_CASE("the values of a JSON text are counted without those that stand in strings") {
  CHECK(json_shape("[1,2,3]").values == 4);
  CHECK(json_shape(R"({"a,b:c":"[,:]"})").values == 3);
  CHECK(json_shape("[[],[],[]]").values == 7);
}

TEST_CASE("a JSON text is parsed up to the depth that is allowed, and discarded beyond it") {
  for (const auto& [open, close] : {std::pair("[", "]"), std::pair(R"({"a":)", "}")}) {
    CHECK(parse_bounded<Json>(nested(kJsonDepth, open, close), kAny).is_structured());
    CHECK(parse_bounded<Json>(nested(kJsonDepth + 1, open, close), kAny).is_discarded());
    CHECK(parse_bounded<Json>(nested(1'000'000, open, close), kAny).is_discarded());
  }
}

TEST_CASE("a JSON text with more values than are wanted is discarded") {
  CHECK(parse_bounded<Json>(list_of(100), 101).size() == 100);
  CHECK(parse_bounded<Json>(list_of(101), 101).is_discarded());
}

TEST_CASE("what is no JSON is discarded too") {
  for (const char* text : {"", "x", "[", "[1,]", "{\"a\"}", "\xff", "]]]]", "1e999"}) {
    CHECK(parse_bounded<Json>(text, kAny).is_discarded());
  }
}

}  // namespace capsule
