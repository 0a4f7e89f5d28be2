#include "manager/sessions/snapshot_schedule.h"

#include <catch2/catch.hpp>

namespace capsule {
namespace {

const TimePoint kStart = TimePoint{} + seconds(100);

TEST_CASE("always wants a snapshot before each run, off never") {
  SnapshotSchedule schedule(RollbackMode::kAlways);
  CHECK(schedule.is_due_before_run(RollbackMode::kAlways));
  CHECK_FALSE(schedule.is_due_before_run(RollbackMode::kOff));
  SnapshotSchedule off(RollbackMode::kOff);
  off.run_ended(kStart, seconds(10));
  CHECK(off.due_when_idle() == TimePoint::max());
  CHECK_FALSE(off.is_due_before_run(RollbackMode::kOff));
  CHECK(off.is_due_before_run(RollbackMode::kAlways));
}

TEST_CASE("idle takes one after a pause and does not keep the next run waiting") {
  SnapshotSchedule schedule(RollbackMode::kIdle);
  CHECK(schedule.due_when_idle() == TimePoint::max());
  schedule.taken(milliseconds(4));
  schedule.run_ended(kStart, milliseconds(3));
  CHECK(schedule.due_when_idle() == kStart + SnapshotSchedule::kIdleWait);
  CHECK_FALSE(schedule.is_due_before_run(RollbackMode::kIdle));
}

TEST_CASE("what a session's first run left does not wait for a pause") {
  SnapshotSchedule schedule(RollbackMode::kIdle);
  schedule.run_ended(kStart, milliseconds(3));
  CHECK(schedule.is_due_before_run(RollbackMode::kIdle));
  schedule.taken(milliseconds(4));
  schedule.run_ended(kStart, milliseconds(3));
  CHECK_FALSE(schedule.is_due_before_run(RollbackMode::kIdle));
}

TEST_CASE("after a rollback the next run waits for a snapshot") {
  SnapshotSchedule schedule(RollbackMode::kIdle);
  schedule.run_ended(kStart, milliseconds(3));
  schedule.rolled_back();
  CHECK(schedule.is_due_before_run(RollbackMode::kIdle));
  schedule.taken(milliseconds(4));
  CHECK_FALSE(schedule.is_due_before_run(RollbackMode::kIdle));
}

TEST_CASE("runs without a pause do not put more at stake than twenty times the cost of a snapshot") {
  SnapshotSchedule schedule(RollbackMode::kIdle);
  schedule.taken(milliseconds(100));
  for (int i = 0; i < 19; ++i) schedule.run_ended(kStart, milliseconds(100));
  CHECK_FALSE(schedule.is_due_before_run(RollbackMode::kIdle));
  schedule.run_ended(kStart, milliseconds(100));
  CHECK(schedule.is_due_before_run(RollbackMode::kIdle));
  SnapshotSchedule cheap(RollbackMode::kIdle);
  cheap.taken(milliseconds(1));
  cheap.run_ended(kStart, milliseconds(999));
  CHECK_FALSE(cheap.is_due_before_run(RollbackMode::kIdle));
}

TEST_CASE("what was refused is tried again only after another run") {
  SnapshotSchedule schedule(RollbackMode::kAlways);
  schedule.run_ended(kStart, milliseconds(3));
  schedule.refused();
  CHECK_FALSE(schedule.is_due_before_run(RollbackMode::kAlways));
  CHECK(schedule.due_when_idle() == TimePoint::max());
  schedule.run_ended(kStart + seconds(1), milliseconds(3));
  CHECK(schedule.is_due_before_run(RollbackMode::kAlways));
  CHECK(schedule.due_when_idle() == kStart + seconds(1) + SnapshotSchedule::kIdleWait);
}

TEST_CASE("what failed is tried again before the next run, and not while nothing happens") {
  SnapshotSchedule schedule(RollbackMode::kAlways);
  schedule.run_ended(kStart, milliseconds(3));
  schedule.failed();
  CHECK(schedule.is_due_before_run(RollbackMode::kAlways));
  CHECK(schedule.due_when_idle() == TimePoint::max());
  schedule.failed();
  CHECK_FALSE(schedule.is_due_before_run(RollbackMode::kAlways));  // or that run would wait for ever
  schedule.run_ended(kStart + seconds(1), milliseconds(3));
  CHECK(schedule.due_when_idle() == kStart + seconds(1) + SnapshotSchedule::kIdleWait);
}

TEST_CASE("each state is tried as often as any other") {
  SnapshotSchedule schedule(RollbackMode::kAlways);
  for (int i = 0; i < 3; ++i) {
    schedule.failed();
    CHECK(schedule.is_due_before_run(RollbackMode::kAlways));
    i == 1 ? schedule.rolled_back() : schedule.run_ended(kStart, milliseconds(3));
  }
}

TEST_CASE("the words of the modes are those of the protocol") {
  for (const RollbackMode mode : {RollbackMode::kAlways, RollbackMode::kIdle, RollbackMode::kOff}) {
    CHECK(rollback_mode_from_string(to_string(mode)) == mode);
  }
  CHECK_FALSE(rollback_mode_from_string("sometimes"));
}

}  // namespace
}  // namespace capsule
