#include "cli/size_text.h"

#include <catch2/catch.hpp>

namespace capsule::cli {

TEST_CASE("sizes count by 1024 unless the unit is decimal", "[cli]") {
  CHECK(parse_size_bytes("0") == 0u);
  CHECK(parse_size_bytes("4096") == 4096u);
  CHECK(parse_size_bytes("17b") == 17u);
  CHECK(parse_size_bytes("10M") == 10u << 20);
  CHECK(parse_size_bytes("64KiB") == 64u << 10);
  CHECK(parse_size_bytes("64 kib") == 64u << 10);
  CHECK(parse_size_bytes("2kB") == 2000u);
  CHECK(parse_size_bytes("3GB") == 3'000'000'000u);
}

TEST_CASE("what is not a size is refused with an example", "[cli]") {
  for (const char* text :
       {"", "M", "-1", "+1", "1.5M", "10X", "10 MM", "1  k", "0x10", "99999999999999999999", "18446744073709551615K"}) {
    const auto size = parse_size_bytes(text);
    INFO(text);
    REQUIRE_FALSE(size);
    CHECK(size.error().message.find("64KiB") != std::string::npos);
  }
}

TEST_CASE("a whole number is digits, and never another number than was written", "[cli]") {
  CHECK(parse_whole_number("0") == 0u);
  CHECK(parse_whole_number("010") == 10u);
  CHECK(parse_whole_number("18446744073709551615") == 18446744073709551615u);
  for (const char* text : {"", "-1", "+1", "18446744073709551616", "1.5", "0x10", "1K", " 1", "1 "}) {
    INFO(text);
    CHECK_FALSE(parse_whole_number(text));
  }
}

TEST_CASE("a time that is out of range is answered with the range", "[cli]") {
  for (const char* text : {"99999999", "0", "-1", "soon"}) {
    const auto wrong = parse_seconds_as_ms(text);
    REQUIRE_FALSE(wrong);
    CHECK_THAT(wrong.error().message, Catch::Contains("above 0") && Catch::Contains("up to 2592000 (30 days)"));
  }
  CHECK(parse_seconds_as_ms("2592000") == 2'592'000'000u);
}

TEST_CASE("seconds become milliseconds, rounded up", "[cli]") {
  CHECK(parse_seconds_as_ms("2") == 2000u);
  CHECK(parse_seconds_as_ms("0.5") == 500u);
  CHECK(parse_seconds_as_ms("0.0001") == 1u);
  CHECK(parse_seconds_as_ms("1e2") == 100'000u);
}

TEST_CASE("a time must be positive, finite and bounded", "[cli]") {
  for (const char* text : {"", "0", "-1", "nan", "inf", "2s", "1e99", "abc"}) {
    INFO(text);
    CHECK_FALSE(parse_seconds_as_ms(text));
  }
}

}  // namespace capsule::cli
