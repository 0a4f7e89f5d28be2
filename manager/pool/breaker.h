// Keeps a profile that cannot start from being started over and over. Pure; one thread; one for each profile.
//
// Told only of deaths that user code cannot have caused: at start, in warm-up, parked, in health checks, and of
// zygotes. `breaker.deaths` of them within `breaker.window` open it: nothing is started until a backoff is over, then
// one try is allowed (half-open). The try's success closes it, its death opens it again for twice as long. The backoff
// is a random time from the upper half of its step, within [backoff_min, backoff_max]; it starts from the bottom again
// when a whole window went by without a death.
#pragma once

#include <cstddef>
#include <deque>
#include <string_view>

#include "base/clock.h"
#include "manager/config.h"

namespace capsule {

class Breaker {
 public:
  enum class State { kClosed, kOpen, kHalfOpen };
  static constexpr size_t kUnlimited = SIZE_MAX;

  explicit Breaker(BreakerConfig config) : config_(config) {}
  void set_config(BreakerConfig config) { config_ = config; }

  State state(TimePoint now) const;
  // How many starts may begin now: kUnlimited when closed, 0 when open, 1 when half-open and no try is under way.
  size_t starts_allowed(TimePoint now) const;
  // When an open one turns half-open, for a timer and for people; TimePoint::max() when it is not open.
  TimePoint retry_at(TimePoint now) const;

  void start_began(TimePoint now);           // a zygote, capsule or worker start; only a half-open one takes note
  void start_succeeded(TimePoint now);       // it became ready
  void start_dropped();                      // we ended it ourselves: neither success nor death
  void death(TimePoint now, double random);  // random in [0, 1)

  size_t deaths(TimePoint now) const;  // within the window
  uint64_t openings() const { return openings_; }

 private:
  void open(TimePoint now, double random);
  void forget_before(TimePoint start);

  BreakerConfig config_;
  std::deque<TimePoint> deaths_;  // at most config_.deaths
  bool tripped_ = false;
  bool try_under_way_ = false;
  TimePoint open_until_{};
  TimePoint last_death_{};
  Duration step_{};  // backoff of the next opening, before jitter; zero: start from the bottom
  uint64_t openings_ = 0;
};

std::string_view to_string(Breaker::State state);  // closed, open, half_open

}  // namespace capsule
