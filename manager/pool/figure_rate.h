// How many figures of its program's own one worker may send: the embedded `capsule` module keeps far below both, so who
// passes them forges frames. Pure; one for each worker.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace capsule {

class FigureRate {
 public:
  static constexpr uint64_t kTakenPerSecond = 1000;      // beyond: dropped
  static constexpr uint64_t kEnduredPerSecond = 10'000;  // beyond: the worker is given up

  enum class Ruling { kTake, kDrop, kGiveUp };
  Ruling rule(TimePoint now) {
    if (now - since_ >= seconds(1)) {
      since_ = now;
      seen_ = 0;
    }
    ++seen_;
    return seen_ <= kTakenPerSecond ? Ruling::kTake : seen_ <= kEnduredPerSecond ? Ruling::kDrop : Ruling::kGiveUp;
  }

 private:
  TimePoint since_{};
  uint64_t seen_ = 0;
};

}  // namespace capsule
