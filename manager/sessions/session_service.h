// What clients ask about sessions: one method for the `session` message, one case for each of its operations. Checks
// what can be checked without the session and writes the answers; the work is SessionRegistry's and Session's.
#pragma once

#include <functional>
#include <string>

#include "manager/schedule/dispatcher.h"
#include "manager/sessions/session_registry.h"
#include "protocol/message.h"

namespace capsule {

class SessionService {
 public:
  using Answer = std::function<void(Result<std::string> document)>;

  SessionService(const Pools& pools, SessionRegistry& sessions, Dispatcher& dispatcher)
      : pools_(pools), sessions_(sessions), dispatcher_(dispatcher) {}

  // Everything but `ls`, which is a part of `info`.
  void handle(const SessionRequest& request, uid_t uid, const std::string& default_profile, uint64_t max_of_uid,
              Answer answer);

 private:
  void make(const SessionRequest& request, uid_t uid, const std::string& default_profile, uint64_t max_of_uid,
            Answer answer);
  void reset(const std::string& id, Session& session, Answer answer);
  void checkpoint(const SessionRequest& request, Session& session, Answer answer);

  const Pools& pools_;
  SessionRegistry& sessions_;
  Dispatcher& dispatcher_;
};

}  // namespace capsule
