// Why sessions are no more: what a client hears that comes later and asks for one. Pure; one thread; the registry's. It
// keeps the latest kKept, in this manager's life; of what is older, and of what was never there, it says nothing.
#pragma once

#include <sys/types.h>

#include <deque>
#include <string>

#include "base/clock.h"

namespace capsule {

class ClosedSessions {
 public:
  static constexpr size_t kKept = 1024;

  void note(const std::string& id, uid_t uid, const std::string& why, TimePoint now);
  // "the session was idle for too long, 12 s ago", of the latest one that had this name; empty when none is known, or
  // when it belonged to another user than `uid`, who is not root.
  std::string tell(const std::string& id, uid_t uid, TimePoint now) const;

 private:
  struct Closed {
    std::string id;
    uid_t uid;
    std::string why;
    TimePoint at;
  };
  std::deque<Closed> closed_;
};

}  // namespace capsule
