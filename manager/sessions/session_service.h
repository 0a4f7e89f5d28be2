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

  SessionService(const Pools& pools, SessionRegistry& sessions, Dispatcher& dispatcher, CheckpointService& checkpoints,
                 Metrics& metrics);

  // What is known of a session, as JSON; with what its worker tells of the namespace, unless it is busy.
  void inspect(const std::string& id, uid_t uid, const Answer& answer);
  Status tap(const Tap& request, FrameTap::Listener listener, uid_t uid);
  // Everything but `ls`, which is a part of `info`.
  void handle(const SessionRequest& request, uid_t uid, const std::string& default_profile, uint64_t max_of_uid,
              Answer answer);

 private:
  tl::unexpected<Error> forbidden(label::Policy policy, Errc code, std::string why);
  std::string inspection(const Session& session, uid_t uid, const Result<std::string>& told) const;
  void make(const SessionRequest& request, uid_t uid, const std::string& default_profile, uint64_t max_of_uid,
            Answer answer);
  void reset(const std::string& id, Session& session, Answer answer);
  void create(Pool& pool, SessionRegistry::Request wanted, const std::string& profile, Answer answer);
  void fork(const SessionRequest& request, uid_t uid, uint64_t max_of_uid, const Answer& answer);
  void checkpoint(const SessionRequest& request, Session& session, Answer answer);
  void save(const SessionRequest& request, Session& session, Answer answer);
  bool is_about_stored(const SessionRequest& request, uid_t uid, const Answer& answer);  // handles it

  const Pools& pools_;
  SessionRegistry& sessions_;
  Dispatcher& dispatcher_;
  CheckpointService& checkpoints_;
  Metrics& metrics_;
  const std::string name_key_;  // of hashed names; for the life of this manager
};

}  // namespace capsule
