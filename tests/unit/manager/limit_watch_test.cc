#include "manager/link/limit_watch.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "tests/unit/manager/moment.h"

using namespace capsule;

namespace {
constexpr uint64_t kGiB1 = kGiB;
}

TEST_CASE("without limits there is nothing to look at", "[limits]") {
  LimitWatch watch({Duration::zero(), 0, 4});
  watch.started(at(0s));
  CHECK_FALSE(watch.has_work());
  CHECK(watch.next_check() == TimePoint::max());
  CHECK_FALSE(watch.check({1h, 100 * kGiB1}, at(1s)));
}

TEST_CASE("processor time is looked at when it could be used up at the earliest", "[limits]") {
  LimitWatch watch({4s, 0, 2});
  watch.started(at(0s));
  CHECK(watch.next_check() == at(2s));  // two cores
  CHECK_FALSE(watch.check({1s, 0}, at(2s)));
  CHECK(watch.next_check() == at(3500ms));
  CHECK_FALSE(watch.check({3999ms, 0}, at(4s)));
  CHECK(watch.next_check() == at(4s) + LimitWatch::kLeastPause);
  CHECK(watch.check({4s, 0}, at(5s)) == StopReason::kCpuLimit);
}

TEST_CASE("memory is looked at the sooner the less is left", "[limits]") {
  LimitWatch watch({Duration::zero(), 2 * kGiB1, 1});
  watch.started(at(0s));
  CHECK(watch.next_check() == at(0s) + LimitWatch::kMemoryPauseMax);
  CHECK_FALSE(watch.check({0s, kGiB1}, at(1s)));
  CHECK(watch.next_check() == at(1125ms));  // 1 GiB at 8 GiB a second
  CHECK_FALSE(watch.check({0s, 2 * kGiB1}, at(2s)));
  CHECK(watch.next_check() == at(2s) + LimitWatch::kLeastPause);
  CHECK(watch.check({0s, 2 * kGiB1 + 1}, at(3s)) == StopReason::kMemoryLimit);
}

TEST_CASE("of two limits the one that could be reached first sets the time", "[limits]") {
  LimitWatch watch({100ms, 64 * kGiB1, 1});
  watch.started(at(0s));
  CHECK(watch.next_check() == at(100ms));
  CHECK_FALSE(watch.check({10ms, 64 * kGiB1}, at(1s)));
  CHECK(watch.next_check() == at(1s) + LimitWatch::kLeastPause);
}

TEST_CASE("a machine that reports no cores counts as one", "[limits]") {
  LimitWatch watch({1s, 0, 0});
  watch.started(at(0s));
  CHECK(watch.next_check() == at(1s));
}

TEST_CASE("while what was given up comes back, memory counts as within its limit", "[limits]") {
  LimitWatch watch({Duration::zero(), kGiB1, 1});
  watch.started(at(0s));
  CHECK(watch.check({0s, 2 * kGiB1}, at(1s)) == StopReason::kMemoryLimit);
  watch.made_room(at(1s));
  CHECK(watch.next_check() == at(1s) + LimitWatch::kLeastPause);
  const TimePoint last = at(1s) + LimitWatch::kRoomPatience - 1ms;
  CHECK_FALSE(watch.check({0s, 2 * kGiB1}, last));
  CHECK(watch.next_check() == last + LimitWatch::kLeastPause);
  CHECK(watch.check({0s, 2 * kGiB1}, at(1s) + LimitWatch::kRoomPatience) == StopReason::kMemoryLimit);
}

TEST_CASE("room that was made for memory is none for processor time", "[limits]") {
  LimitWatch watch({4s, kGiB1, 1});
  watch.started(at(0s));
  watch.made_room(at(1s));
  CHECK(watch.check({4s, 2 * kGiB1}, at(1s)) == StopReason::kCpuLimit);
}
