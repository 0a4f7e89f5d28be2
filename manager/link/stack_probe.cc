#include "manager/link/stack_probe.h"

#include <algorithm>
#include <utility>

namespace capsule {

void StackProbe::ask(Duration patience, Answer answer) {
  if (waiting_.size() >= kWaiting) return answer(failure(Errc::kUnavailable, "too many ask for the stack of this run"));
  waiting_.push_back({now() + patience, std::move(answer)});
  has_asked_ = true;
  if (!std::exchange(is_under_way_, true)) send_();
  arm();
}

void StackProbe::heard(const std::string& text) {
  is_under_way_ = false;
  timer_.cancel();
  for (const Waiting& each : std::exchange(waiting_, {})) each.answer(text);
}

void StackProbe::give_up(const Error& why) {
  timer_.cancel();
  for (const Waiting& each : std::exchange(waiting_, {})) each.answer(tl::unexpected<Error>(why));
}

void StackProbe::arm() {
  const auto next = std::min_element(waiting_.begin(), waiting_.end(),
                                     [](const Waiting& one, const Waiting& other) { return one.until < other.until; });
  timer_.at(next == waiting_.end() ? TimePoint::max() : next->until, [this] { expire(); });
}

// The question stays under way: the answer of a worker that stood still comes when it goes on.
void StackProbe::expire() {
  const TimePoint at = now();
  const auto late =
      std::stable_partition(waiting_.begin(), waiting_.end(), [&](const Waiting& each) { return each.until > at; });
  const std::vector<Waiting> expired(std::make_move_iterator(late), std::make_move_iterator(waiting_.end()));
  waiting_.erase(late, waiting_.end());
  arm();
  for (const Waiting& each : expired) each.answer(failure(Errc::kTimedOut, "the worker did not answer in time"));
}

}  // namespace capsule
