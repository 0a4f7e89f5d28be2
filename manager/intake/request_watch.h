// How long the requests of one connection take to be answered. Ids are the client's: they may repeat, and some requests
// are never answered; the oldest of kRequestsWatched is forgotten then. Pure; one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/clock.h"

namespace capsule {

class RequestWatch {
 public:
  static constexpr size_t kRequestsWatched = 64;

  void asked(uint64_t id, TimePoint now) {
    if (waiting_.size() == kRequestsWatched) waiting_.pop_front();
    waiting_.push_back({id, now});
  }
  // Of the oldest with this id that was not answered yet.
  std::optional<Duration> answered(uint64_t id, TimePoint now) {
    const auto found =
        std::find_if(waiting_.begin(), waiting_.end(), [id](const Asked& asked) { return asked.id == id; });
    if (found == waiting_.end()) return std::nullopt;
    const Duration took = now - found->at;
    waiting_.erase(found);
    return took;
  }

 private:
  struct Asked {
    uint64_t id;
    TimePoint at;
  };
  std::deque<Asked> waiting_;  // oldest first
};

}  // namespace capsule
