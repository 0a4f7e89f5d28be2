// When the loop looks again instead of sleeping. No clock: time is a number here.
#include "manager/async/spin_policy.h"

#include <catch2/catch.hpp>

namespace capsule {
namespace {

constexpr microseconds kWindow{50};

class Waits {
 public:
  explicit Waits(Duration window) : policy_(window) {}

  // Something came `after` this long; true when the loop was still awake then.
  bool met(Duration after) {
    const TimePoint due = at_ + after;
    bool awake = policy_.looks_again(at_);
    while (awake && at_ + kStep < due) {
      at_ += kStep;
      awake = policy_.looks_again(at_);
    }
    at_ = due;
    policy_.worked(at_);
    return awake;
  }
  int met_of(int count, Duration after) {
    int met_awake = 0;
    for (int i = 0; i < count; ++i) met_awake += met(after) ? 1 : 0;
    return met_awake;
  }

 private:
  static constexpr microseconds kStep{1};
  SpinPolicy policy_;
  TimePoint at_ = TimePoint(seconds(1000));
};

}  // namespace

TEST_CASE("a loop whose events come soon stays awake for them after one probe", "[spin]") {
  Waits waits(kWindow);
  CHECK(waits.met_of(2 * SpinPolicy::kProbeEvery, microseconds(20)) >= SpinPolicy::kProbeEvery);
  CHECK(waits.met_of(100, microseconds(20)) == 100);
}

TEST_CASE("a loop whose events come late sleeps, but for a probe now and then", "[spin]") {
  Waits waits(kWindow);
  CHECK(waits.met_of(1000, microseconds(400)) == 0);
  waits.met_of(SpinPolicy::kProbeEvery + 1, microseconds(20));  // found again when they come soon
  CHECK(waits.met(microseconds(20)));
}

TEST_CASE("one wait in three that is worth it keeps the loop looking", "[spin]") {
  Waits waits(kWindow);
  waits.met_of(2 * SpinPolicy::kProbeEvery, microseconds(20));
  for (int i = 0; i < 100; ++i) {
    CHECK(waits.met(microseconds(20)));
    waits.met(microseconds(300));
    waits.met(microseconds(300));
  }
}

TEST_CASE("events that stop coming soon end the looking within a few waits", "[spin]") {
  SpinPolicy policy(kWindow);
  TimePoint at{seconds(1000)};
  for (int i = 0; i < 2 * SpinPolicy::kProbeEvery; ++i) {
    policy.worked(at);
    policy.looks_again(at);
    at += microseconds(10);
  }
  int looked = 0;
  for (int i = 0; i < SpinPolicy::kProbeEvery; ++i) {
    policy.worked(at);
    if (policy.looks_again(at)) ++looked;
    at += milliseconds(1);
    (void)policy.looks_again(at);
  }
  CHECK(looked <= SpinPolicy::kScoreMax + 1);
}

TEST_CASE("a window of zero never looks", "[spin]") {
  Waits waits(Duration::zero());
  CHECK(waits.met_of(3 * SpinPolicy::kProbeEvery, microseconds(1)) == 0);
}

}  // namespace capsule
