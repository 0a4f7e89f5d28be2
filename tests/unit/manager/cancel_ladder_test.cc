#include "manager/link/cancel_ladder.h"

#include <catch2/catch.hpp>

#include "tests/unit/manager/moment.h"

using namespace capsule;

using R = StopReason;
using A = StopAction;

TEST_CASE("the ladder interrupts first and kills after the grace", "[ladder]") {
  CancelLadder ladder(1s);
  CHECK(ladder.rung() == Rung::kNone);
  CHECK(ladder.next_check() == TimePoint::max());
  CHECK(ladder.request(R::kClientCancel, at(0s)) == A::kInterrupt);
  CHECK(ladder.rung() == Rung::kInterrupt);
  CHECK(ladder.next_check() == at(1s));
  CHECK(ladder.check(at(999ms)) == A::kNothing);
  CHECK(ladder.check(at(1s)) == A::kKill);
  CHECK(ladder.rung() == Rung::kKill);
  CHECK(ladder.check(at(2s)) == A::kNothing);
  CHECK(ladder.next_check() == TimePoint::max());
}

TEST_CASE("asking again neither restarts the grace nor changes the reason", "[ladder]") {
  CancelLadder ladder(1s);
  ladder.request(R::kTimeout, at(0s));
  CHECK(ladder.request(R::kClientCancel, at(900ms)) == A::kNothing);
  CHECK(ladder.next_check() == at(1s));
  CHECK(ladder.reason() == R::kTimeout);
}

TEST_CASE("without grace the first step is the kill", "[ladder]") {
  CancelLadder ladder(0s);
  CHECK(ladder.request(R::kTimeout, at(0s)) == A::kKill);
  CHECK_FALSE(ladder.has_interrupted());
  CHECK(ladder.check(at(1h)) == A::kNothing);
}

TEST_CASE("a kill skips the grace, keeps the first reason and happens once", "[ladder]") {
  CancelLadder ladder(1s);
  ladder.request(R::kClientCancel, at(0s));
  CHECK(ladder.kill(R::kShutdown) == A::kKill);
  CHECK(ladder.kill(R::kShutdown) == A::kNothing);
  CHECK(ladder.reason() == R::kClientCancel);
  CHECK(ladder.has_interrupted());
  CHECK(ladder.check(at(1h)) == A::kNothing);
}

TEST_CASE("a kill out of the blue has its own reason", "[ladder]") {
  CancelLadder ladder(1s);
  CHECK(ladder.kill(R::kShutdown) == A::kKill);
  CHECK(ladder.reason() == R::kShutdown);
  CHECK(ladder.request(R::kTimeout, at(0s)) == A::kNothing);
}

TEST_CASE("nothing is due before anything was asked", "[ladder]") {
  CancelLadder ladder(1s);
  CHECK(ladder.check(at(1000h)) == A::kNothing);
  CHECK_FALSE(ladder.reason());
}
