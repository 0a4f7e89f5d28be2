#include "base/bytes.h"

#include <catch2/catch.hpp>

namespace capsule {

TEST_CASE("sizes below one KiB are whole bytes") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(1023) == "1023 B");
}

TEST_CASE("larger sizes have one decimal and the largest unit that fits") {
  CHECK(format_bytes(kKiB) == "1.0 KiB");
  CHECK(format_bytes(kKiB + kKiB / 2) == "1.5 KiB");
  CHECK(format_bytes(kMiB) == "1.0 MiB");
  CHECK(format_bytes(3 * kGiB) == "3.0 GiB");
  CHECK(format_bytes(2048 * kGiB) == "2.0 TiB");
}

TEST_CASE("sizes beyond the last unit stay in it") { CHECK(format_bytes(UINT64_MAX) == "16777216.0 TiB"); }

}  // namespace capsule
