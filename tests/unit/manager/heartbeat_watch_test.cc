#include "manager/link/heartbeat_watch.h"

#include <catch2/catch.hpp>

#include "tests/unit/manager/moment.h"

using namespace capsule;

namespace {

using H = WorkerHealth;

// Every 5 s, suspect after 2, lost after 3; the slack is 0.5 s.
HeartbeatWatch standard_watch() { return HeartbeatWatch(default_config().defaults.worker, at(0s)); }

}  // namespace

TEST_CASE("a worker that beats in time is ok for ever", "[heartbeat]") {
  HeartbeatWatch watch = standard_watch();
  for (int i = 1; i <= 1000; ++i) {
    watch.beat(at(5s * i));
    REQUIRE(watch.check(at(5s * i + 4900ms)) == H::kOk);
  }
  CHECK(watch.beats() == 1000);
  CHECK(watch.suspected() == 0);
}

TEST_CASE("beats that are a little late are not missed", "[heartbeat]") {
  HeartbeatWatch watch = standard_watch();
  CHECK(watch.missed(at(5400ms)) == 0);
  CHECK(watch.missed(at(5500ms)) == 1);
  CHECK(watch.missed(at(10400ms)) == 1);
  CHECK(watch.missed(at(10500ms)) == 2);
}

TEST_CASE("missed beats make it suspect, then lost", "[heartbeat]") {
  HeartbeatWatch watch = standard_watch();
  CHECK(watch.check(at(10499ms)) == H::kOk);
  CHECK(watch.check(at(10500ms)) == H::kSuspect);
  CHECK(watch.check(at(15499ms)) == H::kSuspect);
  CHECK(watch.check(at(15500ms)) == H::kLost);
  CHECK(watch.suspected() == 1);
}

TEST_CASE("the next check is when the answer may change", "[heartbeat]") {
  HeartbeatWatch watch = standard_watch();
  CHECK(watch.next_check(at(0s)) == at(10500ms));
  watch.beat(at(3s));
  CHECK(watch.next_check(at(3s)) == at(13500ms));
  CHECK(watch.check(at(13500ms)) == H::kSuspect);
  CHECK(watch.next_check(at(13500ms)) == at(18500ms));
  CHECK(watch.check(at(18500ms)) == H::kLost);
  CHECK(watch.next_check(at(18500ms)) == TimePoint::max());
}

TEST_CASE("a next check is never in the past", "[heartbeat]") {
  HeartbeatWatch watch = standard_watch();
  CHECK(watch.next_check(at(60s)) == at(60s));
}

TEST_CASE("following next_check alone finds a dead worker lost", "[heartbeat]") {
  HeartbeatWatch watch = standard_watch();
  TimePoint now = at(0s);
  int checks = 0;
  while (watch.check(now) != H::kLost && checks < 10) {
    now = watch.next_check(now);
    ++checks;
  }
  CHECK(checks == 2);
  CHECK(now == at(15500ms));
}

TEST_CASE("a suspect that beats is ok again, and each time counts", "[heartbeat]") {
  HeartbeatWatch watch = standard_watch();
  CHECK(watch.check(at(11s)) == H::kSuspect);
  CHECK(watch.check(at(12s)) == H::kSuspect);
  watch.beat(at(12s));
  CHECK(watch.check(at(12s)) == H::kOk);
  CHECK(watch.check(at(23s)) == H::kSuspect);
  CHECK(watch.suspected() == 2);
}

TEST_CASE("lost is final", "[heartbeat]") {
  HeartbeatWatch watch = standard_watch();
  watch.check(at(11s));
  REQUIRE(watch.check(at(16s)) == H::kLost);
  watch.beat(at(17s));
  CHECK(watch.check(at(17s)) == H::kLost);
}

TEST_CASE("a manager that was stopped itself first suspects, so that waiting beats can be read", "[heartbeat]") {
  HeartbeatWatch watch = standard_watch();
  CHECK(watch.check(at(1h)) == H::kSuspect);
  CHECK(watch.check(at(1h)) == H::kSuspect);
  CHECK(watch.next_check(at(1h)) == at(1h + 2500ms));
  SECTION("with a beat all is well") {
    watch.beat(at(1h + 1ms));
    CHECK(watch.check(at(1h + 2500ms)) == H::kOk);
  }
  SECTION("without one it is lost half an interval later") {
    CHECK(watch.check(at(1h + 2499ms)) == H::kSuspect);
    CHECK(watch.check(at(1h + 2500ms)) == H::kLost);
  }
}

TEST_CASE("while suspended no beat is missed, and resuming starts anew", "[heartbeat]") {
  HeartbeatWatch watch = standard_watch();
  watch.suspend();
  CHECK(watch.check(at(1h)) == H::kOk);
  CHECK(watch.missed(at(1h)) == 0);
  CHECK(watch.next_check(at(1h)) == TimePoint::max());
  watch.resume(at(1h));
  CHECK(watch.check(at(1h + 10s)) == H::kOk);
  CHECK(watch.next_check(at(1h)) == at(1h + 10500ms));
  CHECK(watch.beats() == 0);
}

TEST_CASE("a suspect that is suspended and resumed is ok", "[heartbeat]") {
  HeartbeatWatch watch = standard_watch();
  REQUIRE(watch.check(at(11s)) == H::kSuspect);
  watch.suspend();
  watch.resume(at(12s));
  CHECK(watch.check(at(12s)) == H::kOk);
}

TEST_CASE("a short interval has the least slack", "[heartbeat]") {
  WorkerConfig config = default_config().defaults.worker;
  config.heartbeat_interval = 100ms;
  HeartbeatWatch watch(config, at(0s));
  CHECK(watch.check(at(249ms)) == H::kOk);
  CHECK(watch.check(at(250ms)) == H::kSuspect);
  CHECK(watch.check(at(350ms)) == H::kLost);
}
