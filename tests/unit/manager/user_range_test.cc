// Users of capsules: none is anybody else's at the same time.
#include "manager/pool/user_range.h"

#include <catch2/catch.hpp>

namespace capsule {

TEST_CASE("users are handed out one by one until all are taken") {
  UserRange range(61000, 3);
  CHECK(range.take() == 61000);
  CHECK(range.take() == 61001);
  CHECK(range.take() == 61002);
  CHECK(range.take() == std::nullopt);
}

TEST_CASE("a user that was given back is used again, but not at once") {
  UserRange range(61000, 3);
  const auto first = range.take();
  range.give_back(*first);
  CHECK(range.take() == 61001);
  CHECK(range.take() == 61002);
  CHECK(range.take() == first);
}

TEST_CASE("an empty range has nobody") { CHECK(UserRange(61000, 0).take() == std::nullopt); }

}  // namespace capsule
