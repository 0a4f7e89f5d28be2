// What is counted under which label, and how long it took.
#include <catch2/catch.hpp>

#include "manager/intake/request_watch.h"
#include "manager/link/claim_bounds.h"
#include "manager/link/frame_label.h"
#include "manager/pool/figure_rate.h"

using namespace capsule;

namespace {
const TimePoint kStart = TimePoint{} + seconds(1000);
}

TEST_CASE("a frame counts under its message's word or group", "[counting]") {
  CHECK(frame_label(Execute{}) == label::Frame::kExecute);
  CHECK(frame_label(FileGet{}) == label::Frame::kFile);
  CHECK(frame_label(Branch{}) == label::Frame::kProcess);
  CHECK(frame_label(Cancel{}) == label::Frame::kRequest);
  CHECK(frame_label(ErrorReply{}) == label::Frame::kAnswer);
  CHECK(frame_label(Hello{}) == label::Frame::kOther);
}

TEST_CASE("requests are what clients ask for, and nothing else", "[counting]") {
  CHECK(request_label(Execute{}) == label::Request::kExecute);
  CHECK(request_label(FileDone{}) == label::Request::kFile);
  CHECK(request_label(CheckpointPut{}) == label::Request::kCheckpoint);
  CHECK_FALSE(request_label(Input{}));
  CHECK_FALSE(request_label(Heartbeat{}));
  CHECK_FALSE(request_label(Document{}));
}

TEST_CASE("an answer is timed from its own request, the oldest of that id", "[counting]") {
  RequestWatch watch;
  watch.asked(1, kStart);
  watch.asked(2, kStart + seconds(1));
  watch.asked(1, kStart + seconds(2));
  CHECK(watch.answered(2, kStart + seconds(4)) == seconds(3));
  CHECK(watch.answered(1, kStart + seconds(4)) == seconds(4));
  CHECK(watch.answered(1, kStart + seconds(4)) == seconds(2));
  CHECK_FALSE(watch.answered(1, kStart + seconds(4)));
}

TEST_CASE("requests that are never answered are forgotten, the oldest first", "[counting]") {
  RequestWatch watch;
  for (uint64_t id = 0; id <= RequestWatch::kRequestsWatched; ++id) watch.asked(id, kStart);
  CHECK_FALSE(watch.answered(0, kStart));
  CHECK(watch.answered(1, kStart) == Duration::zero());
}

TEST_CASE("figures beyond the rate are dropped, and a flood of them is not endured", "[counting]") {
  FigureRate rate;
  for (uint64_t i = 0; i < FigureRate::kTakenPerSecond; ++i) REQUIRE(rate.rule(kStart) == FigureRate::Ruling::kTake);
  CHECK(rate.rule(kStart) == FigureRate::Ruling::kDrop);
  CHECK(rate.rule(kStart + seconds(1)) == FigureRate::Ruling::kTake);
  for (uint64_t i = 0; i < FigureRate::kEnduredPerSecond; ++i) (void)rate.rule(kStart + seconds(1));
  CHECK(rate.rule(kStart + seconds(1)) == FigureRate::Ruling::kGiveUp);
}

TEST_CASE("what a worker says of itself is counted as far as it can be true", "[counting]") {
  Evidence honest;
  honest.late_interrupts = 1;
  honest.blocking_calls = 3;
  Evidence said = honest;
  bound_claim(said, milliseconds(350));
  CHECK(said.late_interrupts == 1);
  CHECK(said.blocking_calls == 3);
  said.late_interrupts = uint64_t{1} << 62;
  said.blocking_calls = 4'000'000'000;
  bound_claim(said, milliseconds(350));
  CHECK(said.late_interrupts == kLateInterruptsMax);
  CHECK(said.blocking_calls == 3);
  bound_claim(said, milliseconds(-1));
  CHECK(said.blocking_calls == 0);
}
