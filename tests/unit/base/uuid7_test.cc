#include "base/uuid7.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <string_view>

namespace capsule {
namespace {

// "x" stands for a hexadecimal digit, "v" for one of 8, 9, a, b.
bool has_shape(std::string_view id, std::string_view shape) {
  const auto fits = [](char c, char wanted) {
    if (wanted == 'x') return std::string_view("0123456789abcdef").find(c) != std::string_view::npos;
    if (wanted == 'v') return std::string_view("89ab").find(c) != std::string_view::npos;
    return c == wanted;
  };
  return std::equal(id.begin(), id.end(), shape.begin(), shape.end(), fits);
}

}  // namespace

TEST_CASE("an id has the layout of version 7 and the time in front") {
  Uuid7Generator ids;
  const std::string id = ids.next(0x0123456789AB);
  CHECK(id.substr(0, 13) == "01234567-89ab");
  CHECK(has_shape(id, "xxxxxxxx-xxxx-7xxx-vxxx-xxxxxxxxxxxx"));
}

TEST_CASE("ids increase while the clock stands still, longer than the counter lasts") {
  Uuid7Generator ids;
  std::string last = ids.next(1000);
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = ids.next(1000);
    REQUIRE(id > last);
    last = id;
  }
}

TEST_CASE("ids increase when the clock goes back") {
  Uuid7Generator ids;
  const std::string before = ids.next(5000);
  const std::string after = ids.next(10);
  CHECK(after > before);
  CHECK(ids.next(6000) > after);
}

TEST_CASE("two generators at the same time make different ids") {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(Uuid7Generator().next(42));
  CHECK(seen.size() == 100);
}

}  // namespace capsule
