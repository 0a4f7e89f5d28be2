#include "manager/sessions/session_registry.h"

#include <algorithm>

#include "manager/observe/log.h"
#include "protocol/limits.h"

namespace capsule {
namespace {
constexpr seconds kIdleCheckMax{60};  // the closing times of busy sessions are not known
}

bool is_valid_name(std::string_view id) {
  return !id.empty() && id.size() <= limits::kIdBytes && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

SessionRegistry::SessionRegistry(Loop& loop, SessionsConfig config, CheckpointService& checkpoints, Metrics& metrics,
                                 Events events)
    : loop_(loop),
      config_(config),
      checkpoints_(checkpoints),
      metrics_(metrics),
      events_(std::move(events)),
      idle_timer_(loop) {}

void SessionRegistry::create(Pool& pool, Request request, Created created) {
  if (sessions_.size() >= config_.max) {
    return created(failure(Errc::kUnavailable, "there are " + std::to_string(config_.max) +
                                                   " sessions already (sessions.max); remove one first"));
  }
  if (request.max_of_uid != 0 && count_of(request.uid) >= request.max_of_uid) {
    return created(failure(Errc::kUnavailable, "this user has " + std::to_string(request.max_of_uid) +
                                                   " sessions already (client.max_sessions_per_uid)"));
  }
  if (!request.name.empty() && !is_valid_name(request.name)) {
    return created(failure(Errc::kInvalid, "a session name is 1 to 64 of a-z, 0-9 and '-'"));
  }
  const std::string id = request.name.empty() ? "s-" + ids_.next(wall_clock_ms()) : request.name;
  if (sessions_.contains(id)) return created(failure(Errc::kConflict, "session '" + id + "' exists already"));
  const Duration idle = request.idle_timeout == Duration::zero() ? config_.idle_timeout : request.idle_timeout;
  if (const Status fits = check_session_limits(request.limits, pool.profile().settings); !fits) {
    return created(tl::unexpected<Error>(fits.error()));
  }
  for (const auto& [name, value] : request.secrets) {
    if (is_variable_name(name) && value.find('\0') == value.npos) continue;
    return created(failure(Errc::kInvalid, "the name of a secret is letters, digits and _, its value has no NUL"));
  }
  const auto rollback = request.rollback.empty() ? config_.rollback : rollback_mode_from_string(request.rollback);
  if (!rollback) return created(failure(Errc::kInvalid, "rollback is one of always, idle and off"));
  Session::Start start{id,
                       request.uid,
                       idle,
                       wall_clock_ms(),
                       request.limits,
                       std::move(request.secrets),
                       *rollback,
                       {config_.snapshots, config_.checkpoints},
                       std::move(request.from)};
  auto session = std::make_shared<Session>(loop_, pool, checkpoints_, std::move(start), metrics_);
  sessions_[id] = session;
  creating_[id] = std::move(created);
  events_.on_broken(id);
  Session::Events events;
  events.on_ready = [this, id] { ready(id); };
  events.on_broken = [this, id] { events_.on_broken(id); };
  // Posted: the session is in the middle of something when it finds out.
  events.on_failed = [this, id](const Error& why) {
    loop_.post([this, id, why] { close(id, label::SessionClose::kFailed, why); });
  };
  session->begin(std::move(events));
  arm();
}

void SessionRegistry::ready(const std::string& id) {
  if (const auto found = creating_.extract(id); !found.empty()) found.mapped()(id);
  events_.on_ready(id);
}

Session* SessionRegistry::find(const std::string& id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

Result<Session*> SessionRegistry::find(const std::string& id, uid_t uid) {
  Session* session = find(id);
  if (session == nullptr || (session->uid() != uid && uid != 0)) {
    return failure(Errc::kNotFound, "there is no session '" + id + "'; `capsule session ls` lists them");
  }
  return session;
}

Status SessionRegistry::remove(const std::string& id, uid_t uid) {
  const auto session = find(id, uid);
  if (!session) return tl::unexpected<Error>(session.error());
  close(id, label::SessionClose::kRemoved, {Errc::kClosed, "the session was removed"});
  return {};
}

void SessionRegistry::close_all(label::SessionClose why) {
  while (!sessions_.empty()) {
    close(std::string(sessions_.begin()->first), why, {Errc::kClosed, "the manager is shutting down"});
  }
}

void SessionRegistry::close(const std::string& id, label::SessionClose why, const Error& error) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  const std::shared_ptr<Session> session = found->second;
  if (const auto creating = creating_.extract(id); !creating.empty()) creating.mapped()(tl::unexpected<Error>(error));
  events_.on_closed(id, error);
  sessions_.erase(id);
  session->close();
  metrics_.session_closed(why);
  log_info("session closed", {{"session", id}, {"why", error.message}});
}

void SessionRegistry::arm() {
  const TimePoint at = now();
  TimePoint next = TimePoint::max();
  for (const auto& [id, session] : sessions_) next = std::min(next, std::min(session->closes_at(), at + kIdleCheckMax));
  idle_timer_.at(next, [this] {
    std::vector<std::string> idle;
    for (const auto& [id, session] : sessions_) {
      if (session->closes_at() <= now()) idle.push_back(id);
    }
    for (const std::string& id : idle) {
      close(id, label::SessionClose::kIdle, {Errc::kClosed, "the session was idle for too long"});
    }
    arm();
  });
}

size_t SessionRegistry::count_of(uid_t uid) const {
  return static_cast<size_t>(
      std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) { return entry.second->uid() == uid; }));
}

std::pair<size_t, size_t> SessionRegistry::parked() const {
  size_t all = 0, named = 0;
  for (const auto& [id, session] : sessions_) {
    all += session->snapshots().tree().snapshots().size();
    named += session->snapshots().tree().checkpoints();
  }
  return {all - named, named};
}

SessionCounts SessionRegistry::counts() const {
  SessionCounts counts;
  for (const auto& [id, session] : sessions_) {
    switch (session->state()) {
      case SessionState::kStarting: ++counts.starting; break;
      case SessionState::kReady: ++counts.ready; break;
      case SessionState::kBusy: ++counts.busy; break;
      case SessionState::kRolledBack: ++counts.rolled_back; break;
      case SessionState::kClosed: break;
    }
  }
  return counts;
}

}  // namespace capsule
