#include "manager/pool/breaker.h"

#include <algorithm>
#include <utility>

namespace capsule {

std::string_view to_string(Breaker::State state) {
  switch (state) {
    case Breaker::State::kClosed: return "closed";
    case Breaker::State::kOpen: return "open";
    case Breaker::State::kHalfOpen: return "half_open";
  }
  return "open";
}

Breaker::State Breaker::state(TimePoint now) const {
  if (!tripped_) return State::kClosed;
  return now < open_until_ ? State::kOpen : State::kHalfOpen;
}

size_t Breaker::starts_allowed(TimePoint now) const {
  switch (state(now)) {
    case State::kClosed: return kUnlimited;
    case State::kOpen: return 0;
    case State::kHalfOpen: return try_under_way_ ? 0 : 1;
  }
  return 0;
}

TimePoint Breaker::retry_at(TimePoint now) const { return state(now) == State::kOpen ? open_until_ : TimePoint::max(); }

void Breaker::start_began(TimePoint now) {
  if (state(now) == State::kHalfOpen) try_under_way_ = true;
}

void Breaker::start_succeeded(TimePoint now) {
  // One that began before the opening proves nothing about the time after it.
  if (state(now) != State::kHalfOpen) return;
  tripped_ = false;
  try_under_way_ = false;
  deaths_.clear();
}

void Breaker::start_dropped() { try_under_way_ = false; }

void Breaker::death(TimePoint now, double random) {
  const TimePoint previous = std::exchange(last_death_, now);
  deaths_.push_back(now);
  forget_before(now - config_.window);
  if (tripped_) {
    if (state(now) == State::kHalfOpen) open(now, random);
    return;
  }
  if (now - previous > config_.window) step_ = Duration::zero();
  if (deaths_.size() >= config_.deaths) open(now, random);
}

void Breaker::forget_before(TimePoint start) {
  while (!deaths_.empty() && (deaths_.front() < start || deaths_.size() > config_.deaths)) deaths_.pop_front();
}

void Breaker::open(TimePoint now, double random) {
  // A pause is its lower end plus up to as much again, so the last step begins at half of the maximum.
  const Duration highest = std::max(config_.backoff_min, config_.backoff_max / 2);
  const Duration least = std::clamp(step_, config_.backoff_min, highest);
  const Duration spread = std::chrono::duration_cast<Duration>(least * random);
  open_until_ = now + std::min(least + spread, config_.backoff_max);
  step_ = least * 2;
  tripped_ = true;
  try_under_way_ = false;
  ++openings_;
}

size_t Breaker::deaths(TimePoint now) const {
  const TimePoint start = now - config_.window;
  return static_cast<size_t>(
      std::count_if(deaths_.begin(), deaths_.end(), [&](TimePoint death) { return death >= start; }));
}

}  // namespace capsule
