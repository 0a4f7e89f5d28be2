#include "manager/sessions/closed_sessions.h"

#include <algorithm>

namespace capsule {

void ClosedSessions::note(const std::string& id, uid_t uid, const std::string& why, TimePoint now) {
  closed_.push_back({id, uid, why, now});
  if (closed_.size() > kKept) closed_.pop_front();
}

std::string ClosedSessions::tell(const std::string& id, uid_t uid, TimePoint now) const {
  const auto found = std::find_if(closed_.rbegin(), closed_.rend(),
                                  [&](const Closed& each) { return each.id == id && (each.uid == uid || uid == 0); });
  if (found == closed_.rend()) return {};
  const auto ago = std::chrono::duration_cast<seconds>(now - found->at).count();
  return found->why + ", " + std::to_string(ago) + " s ago";
}

}  // namespace capsule
