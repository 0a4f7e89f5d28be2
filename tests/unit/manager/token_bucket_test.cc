#include "manager/intake/token_bucket.h"

#include <catch2/catch.hpp>

#include "tests/unit/manager/moment.h"

using namespace capsule;

TEST_CASE("a burst goes through without a wait", "[token_bucket]") {
  TokenBucket bucket(10, 100, at(0s));
  CHECK(bucket.take(60, at(0s)) == 0s);
  CHECK(bucket.take(40, at(0s)) == 0s);
  CHECK(bucket.waits() == 0);
}

TEST_CASE("what is past the burst costs its time", "[token_bucket]") {
  TokenBucket bucket(10, 100, at(0s));
  CHECK(bucket.take(105, at(0s)) == 500ms);
  CHECK(bucket.take(5, at(0s)) == 1s);
  CHECK(bucket.waits() == 2);
  CHECK(bucket.waited() == 1500ms);
}

TEST_CASE("after the wait the debt is paid", "[token_bucket]") {
  TokenBucket bucket(10, 100, at(0s));
  CHECK(bucket.take(110, at(0s)) == 1s);
  CHECK(bucket.take(1, at(1s)) == 100ms);
  CHECK(bucket.take(0, at(1100ms)) == 0s);
}

TEST_CASE("tokens come back with time and never pass the burst", "[token_bucket]") {
  TokenBucket bucket(10, 100, at(0s));
  bucket.take(100, at(0s));
  CHECK(bucket.take(50, at(5s)) == 0s);
  CHECK(bucket.take(100, at(1000h)) == 0s);
  CHECK(bucket.take(1, at(1000h)) == 100ms);
}

TEST_CASE("an amount larger than the burst goes through, for its time", "[token_bucket]") {
  TokenBucket bucket(1000, 10, at(0s));
  CHECK(bucket.take(10010, at(0s)) == 10s);
}

TEST_CASE("a rate of nothing limits nothing", "[token_bucket]") {
  TokenBucket bucket(0, 1, at(0s));
  for (int i = 0; i < 10; ++i) CHECK(bucket.take(UINT64_MAX / 2, at(0s)) == 0s);
}

TEST_CASE("a clock that stands still or goes back gives no tokens and takes none", "[token_bucket]") {
  TokenBucket bucket(10, 10, at(10s));
  CHECK(bucket.take(10, at(10s)) == 0s);
  CHECK(bucket.take(1, at(5s)) == 100ms);
  CHECK(bucket.take(0, at(10100ms)) == 0s);
}

TEST_CASE("in the long run a peer that waits as told gets exactly its rate", "[token_bucket]") {
  TokenBucket bucket(1000, 50, at(0s));
  TimePoint now = at(0s);
  uint64_t taken = 0;
  for (int i = 0; i < 1000; ++i) {
    now += bucket.take(7, now);
    taken += 7;
  }
  CHECK(to_seconds(now - at(0s)) == Approx((static_cast<double>(taken) - 50) / 1000).epsilon(1e-6));
}
