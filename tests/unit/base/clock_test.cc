#include "base/clock.h"

#include <catch2/catch.hpp>

namespace capsule {

TEST_CASE("the monotonic clock does not go back") {
  const TimePoint first = now();
  CHECK(now() >= first);
}

TEST_CASE("wall times are written in UTC with milliseconds") {
  CHECK(format_utc(0) == "1970-01-01T00:00:00.000Z");
  CHECK(format_utc(1'000'000'000'123) == "2001-09-09T01:46:40.123Z");
  CHECK(format_utc(1'709'164'800'007) == "2024-02-29T00:00:00.007Z");
}

TEST_CASE("durations convert to the unit in the name") {
  CHECK(to_seconds(milliseconds(1500)) == 1.5);
  CHECK(to_milliseconds(microseconds(2999)) == 2);
  CHECK(to_microseconds(seconds(3)) == 3'000'000);
}

}  // namespace capsule
