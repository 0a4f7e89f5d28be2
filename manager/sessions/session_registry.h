// All sessions, by id. A session belongs to the uid that made it: for another one it does not exist. Idle ones are
// closed after their idle timeout. Bounded by sessions.max.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/uuid7.h"
#include "manager/config.h"
#include "manager/sessions/closed_sessions.h"
#include "manager/sessions/fork_standby.h"
#include "manager/sessions/session.h"

namespace capsule {

class SessionRegistry {
 public:
  struct Events {
    std::function<void(const std::string&id)> on_ready, on_broken;
    std::function<void(const std::string& id, const Error& why)> on_closed;  // before it is gone
  };
  struct Request {
    std::string name;  // empty: one is made up
    uid_t uid;
    Duration idle_timeout;  // zero: the configured one
    SessionLimits limits;
    std::map<std::string, std::string> secrets;
    std::string rollback;     // always, idle, off; empty: the configured one
    uint64_t max_of_uid = 0;  // client.max_sessions_per_uid; 0: no limit
    std::optional<CheckpointStore::Opened> from = {};
  };
  using Created = std::function<void(Result<std::string>)>;

  SessionRegistry(Loop& loop, SessionsConfig config, CheckpointService& checkpoints, Metrics& metrics, Events events);

  // Answers once the session has its worker.
  void create(Pool& pool, Request request, Created created);
  // Copies of a live session, each a session of its own from then on. Named `name`, or `name`-1, -2 …; empty: made up.
  struct ForkRequest {
    std::string name;
    size_t count = 1;
    std::string rollback;  // empty: as the original's
    uint64_t max_of_uid = 0;
    SessionLimits limits = {};  // less than the original's, where that is not 0
  };
  static constexpr size_t kForksMax = 64;  // at once
  struct Forks {
    std::vector<std::string> ids;
    std::vector<std::string> not_captured;
  };
  using Forked = std::function<void(Result<Forks>)>;
  void fork(const std::shared_ptr<Session>& original, const ForkRequest& request, Forked done);
  // `fork` takes the place, and the name, of a session that it descends from; what that one was ends.
  using Adopted = std::function<void(Status)>;
  void adopt(const std::string& id, const std::string& fork, uid_t uid, Adopted done);
  Result<Session*> find(const std::string& id, uid_t uid);
  Session* find(const std::string& id);
  void ran(const std::string& id);  // a run of it ended just now
  Status remove(const std::string& id, uid_t uid);
  void client_gone(ClientKey client);  // it taps no more
  void close_all(label::SessionClose why);

  size_t count_of(uid_t uid) const;
  bool is_saving() const;  // durable checkpoints are being written
  void set_config(SessionsConfig config) { config_ = config; }
  const std::map<std::string, std::shared_ptr<Session>>& all() const { return sessions_; }
  SessionCounts counts() const;
  std::pair<size_t, size_t> parked() const;  // snapshots, checkpoints
  bool has_fork_in_advance(const Session& session) const { return standby_.has(session); }

 private:
  void ready(const std::string& id);
  Status check_descent(const std::string& id, const std::string& fork, uid_t uid);
  void put_in_place(const std::string& id, const std::string& fork);
  Status check_room(size_t count, uid_t uid, uint64_t max_of_uid);
  tl::unexpected<Error> forbidden(label::Policy policy, Error error);
  void add(const std::shared_ptr<Session>& session, Created created);
  Session::Events events_of(const std::shared_ptr<Session>& session);
  RollbackMode mode_of(const ForkRequest& request, const Session& original) const;
  void fork_anew(const std::shared_ptr<Session>& original, const ForkRequest& request, const Forked& done);
  Result<Forks> use_standby(ForkStandby::Fork fork, const Session& original, const ForkRequest& request);
  Result<std::vector<std::string>> names_for(const ForkRequest& request);
  void begin_forks(const std::shared_ptr<Session>& original, const ForkRequest& request, std::vector<std::string> ids,
                   std::vector<ForkedCopy> copies, const Forked& done);
  void close(const std::string& id, label::SessionClose why, const Error& error);
  void arm();

  Loop& loop_;
  SessionsConfig config_;
  CheckpointService& checkpoints_;
  Metrics& metrics_;
  Events events_;
  Timer idle_timer_;
  Uuid7Generator ids_;
  std::map<std::string, std::shared_ptr<Session>> sessions_;
  std::map<std::string, Created> creating_;
  ForkStandby standby_;
  ClosedSessions closed_;
};

bool is_valid_name(std::string_view id);  // [a-z0-9][a-z0-9-]{0,63}

}  // namespace capsule
