// Whether the loop, when it has nothing to do, looks again at once for a while before it sleeps. To be woken costs an
// interrupt to a halted processor, tens of microseconds in a virtual machine, and most of a short run is such waiting.
// Pure: `now` comes in, nothing is called.
//
// It looks only where that has paid off of late: each time something came within the window adds kHit to a score, each
// time nothing came takes one off; a run is two or three waits, of which one is worth it. At zero the loop sleeps at
// once, and tries one wait in kProbeEvery: what a manager spends whose runs are long.
#pragma once

#include "base/clock.h"

namespace capsule {

class SpinPolicy {
 public:
  static constexpr int kHit = 3;
  static constexpr int kScoreMax = 12;
  static constexpr int kProbeEvery = 64;

  // Zero: never.
  explicit SpinPolicy(Duration window) : window_(window) {}

  void worked(TimePoint now);       // there was something to do
  bool looks_again(TimePoint now);  // asked with nothing to do; false: sleep

 private:
  Duration window_;
  TimePoint until_{};
  bool spins_ = false;
  int score_ = 0;
  int waits_ = 0;  // since the last probe
};

}  // namespace capsule
