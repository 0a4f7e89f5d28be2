#include "manager/sessions/session_registry.h"

#include <algorithm>

#include "manager/observe/log.h"
#include "protocol/limits.h"

namespace capsule {
namespace {
constexpr seconds kIdleCheckMax{60};  // the closing times of busy sessions are not known
constexpr const char* kNameRule = "a session name is 1 to 64 of a-z, 0-9 and '-', and does not begin with '-'";
}  // namespace

bool is_valid_name(std::string_view id) {
  return !id.empty() && id.size() <= limits::kIdBytes && id.front() != '-' &&
         std::all_of(id.begin(), id.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

SessionRegistry::SessionRegistry(Loop& loop, SessionsConfig config, CheckpointService& checkpoints, Metrics& metrics,
                                 Events events)
    : loop_(loop),
      config_(config),
      checkpoints_(checkpoints),
      metrics_(metrics),
      events_(std::move(events)),
      idle_timer_(loop),
      standby_(
          loop,
          [this](Session& original, ForkedCopy copy, RollbackMode mode) {
            Session::Start start = original.of(std::move(copy), "s-" + ids_.next(wall_clock_ms()), wall_clock_ms());
            start.rollback = mode;
            return std::make_shared<Session>(loop_, original.pool(), checkpoints_, std::move(start), metrics_);
          },
          [this](const std::shared_ptr<Session>& session) { return events_of(session); }) {}

tl::unexpected<Error> SessionRegistry::forbidden(label::Policy policy, Error error) {
  metrics_.policy_violated(policy);
  return tl::unexpected<Error>(std::move(error));
}

Status SessionRegistry::check_room(size_t count, uid_t uid, uint64_t max_of_uid) {
  if (sessions_.size() + count > config_.max) {
    return failure(Errc::kUnavailable, "there are " + std::to_string(sessions_.size()) + " of " +
                                           std::to_string(config_.max) +
                                           " sessions already (sessions.max); remove one first");
  }
  if (max_of_uid != 0 && count_of(uid) + count > max_of_uid) {
    return forbidden(
        label::Policy::kUserCap,
        {Errc::kUnavailable, "this user has " + std::to_string(count_of(uid)) + " of " + std::to_string(max_of_uid) +
                                 " sessions already (client.max_sessions_per_uid)"});
  }
  return {};
}

void SessionRegistry::create(Pool& pool, Request request, Created created) {
  if (const Status room = check_room(1, request.uid, request.max_of_uid); !room) {
    return created(tl::unexpected<Error>(room.error()));
  }
  if (!request.name.empty() && !is_valid_name(request.name)) {
    return created(forbidden(label::Policy::kRequest, {Errc::kInvalid, kNameRule}));
  }
  const std::string id = request.name.empty() ? "s-" + ids_.next(wall_clock_ms()) : request.name;
  if (sessions_.contains(id)) return created(failure(Errc::kConflict, "session '" + id + "' exists already"));
  const Duration idle = request.idle_timeout == Duration::zero() ? config_.idle_timeout : request.idle_timeout;
  if (const Status fits = check_session_limits(request.limits, pool.profile().settings); !fits) {
    const bool is_above = fits.error().code == Errc::kRefused;
    return created(forbidden(is_above ? label::Policy::kLimit : label::Policy::kRequest, fits.error()));
  }
  for (const auto& [name, value] : request.secrets) {
    if (is_variable_name(name) && value.find('\0') == value.npos) continue;
    return created(forbidden(label::Policy::kRequest,
                             {Errc::kInvalid, "the name of a secret is letters, digits and _, its value has no NUL"}));
  }
  const auto rollback = request.rollback.empty() ? config_.rollback : rollback_mode_from_string(request.rollback);
  if (!rollback) {
    return created(forbidden(label::Policy::kRequest, {Errc::kInvalid, "rollback is one of always, idle and off"}));
  }
  Session::Start start{id,
                       request.uid,
                       idle,
                       wall_clock_ms(),
                       request.limits,
                       std::move(request.secrets),
                       *rollback,
                       {config_.snapshots, config_.checkpoints},
                       std::move(request.from)};
  add(std::make_shared<Session>(loop_, pool, checkpoints_, std::move(start), metrics_), std::move(created));
}

void SessionRegistry::add(const std::shared_ptr<Session>& session, Created created) {
  const std::string id = session->id();
  sessions_[id] = session;
  creating_[id] = std::move(created);
  events_.on_broken(id);
  session->begin(events_of(session));
  arm();
}

// It may change its name: what it tells goes by the one it has then.
Session::Events SessionRegistry::events_of(const std::shared_ptr<Session>& session) {
  Session::Events events;
  events.on_ready = [this, session = session.get()] { ready(session->id()); };
  events.on_broken = [this, session = session.get()] { events_.on_broken(session->id()); };
  // Posted: the session is in the middle of something when it finds out.
  events.on_failed = [this, still = std::weak_ptr(session)](const Error& why) {
    loop_.post([this, still, why] {
      if (const auto failed = still.lock()) close(failed->id(), label::SessionClose::kFailed, why);
    });
  };
  return events;
}

void SessionRegistry::ready(const std::string& id) {
  if (const auto found = creating_.extract(id); !found.empty()) found.mapped()(id);
  events_.on_ready(id);
}

void SessionRegistry::ran(const std::string& id) {
  const auto found = sessions_.find(id);
  if (config_.fork_standby_of != ForkStandbyOf::kAll || found == sessions_.end()) return;
  standby_.prepare(found->second, found->second->rollback_mode(), config_.fork_standby);
}

// ---- forks -----------------------------------------------------------------------------------------------------

Result<std::vector<std::string>> SessionRegistry::names_for(const ForkRequest& request) {
  std::vector<std::string> names;
  for (size_t i = 1; i <= request.count; ++i) {
    std::string name = request.name;
    if (name.empty()) {
      name = "s-" + ids_.next(wall_clock_ms());
    } else if (request.count > 1) {
      name += "-" + std::to_string(i);
    }
    if (!is_valid_name(name)) {
      return forbidden(label::Policy::kRequest, {Errc::kInvalid, kNameRule});
    }
    if (sessions_.contains(name)) return failure(Errc::kConflict, "session '" + name + "' exists already");
    names.push_back(std::move(name));
  }
  return names;
}

void SessionRegistry::fork(const std::shared_ptr<Session>& original, const ForkRequest& request, Forked answer) {
  const Forked done = [this, begin = now(), count = request.count, answer](const Result<Forks>& forks) {
    const bool refused = !forks && forks.error().code != Errc::kClosed && forks.error().code != Errc::kTimedOut;
    const label::Fork outcome = forks ? label::Fork::kMade : refused ? label::Fork::kRefused : label::Fork::kFailed;
    metrics_.forked(outcome, count, now() - begin);
    answer(forks);
  };
  if (request.count == 0 || request.count > kForksMax) {
    return done(forbidden(label::Policy::kRequest,
                          {Errc::kInvalid, "between 1 and " + std::to_string(kForksMax) + " forks are made at once"}));
  }
  if (const Status room = check_room(request.count, original->uid(), request.max_of_uid); !room) {
    return done(tl::unexpected<Error>(room.error()));
  }
  if (!request.rollback.empty() && !rollback_mode_from_string(request.rollback)) {
    return done(forbidden(label::Policy::kRequest, {Errc::kInvalid, "rollback is one of always, idle and off"}));
  }
  const auto limits = limits_of_fork(request.limits, original->limits(), original->pool().profile().settings);
  if (!limits) {
    const bool is_above = limits.error().code == Errc::kRefused;
    return done(forbidden(is_above ? label::Policy::kLimit : label::Policy::kRequest, limits.error()));
  }
  if (const auto names = names_for(request); !names) return done(tl::unexpected<Error>(names.error()));
  // The one that may be there in advance has what the original has.
  if (request.count != 1 || *limits != original->limits()) return fork_anew(original, request, done);
  standby_.take(original, mode_of(request, *original),
                [this, original, request, done](std::optional<ForkStandby::Fork> fork) {
                  fork ? done(use_standby(std::move(*fork), *original, request)) : fork_anew(original, request, done);
                  standby_.prepare(original, mode_of(request, *original), config_.fork_standby);
                });
}

RollbackMode SessionRegistry::mode_of(const ForkRequest& request, const Session& original) const {
  return request.rollback.empty() ? original.rollback_mode() : *rollback_mode_from_string(request.rollback);
}

// What was checked when it was asked for is checked once more: time has passed.
Result<SessionRegistry::Forks> SessionRegistry::use_standby(ForkStandby::Fork fork, const Session& original,
                                                            const ForkRequest& request) {
  const std::shared_ptr<Session> session = fork.session;
  const auto ids = names_for(request);
  const Status room =
      check_room(1, original.uid(), request.max_of_uid).and_then([&] { return original.pool().admit_forks(1); });
  if (!ids || !room) {
    session->close();
    return tl::unexpected<Error>(ids ? room.error() : ids.error());
  }
  const std::string id = ids->front();
  session->begin_life(id, wall_clock_ms());
  sessions_[id] = session;
  arm();
  session->is_free() ? events_.on_ready(id) : events_.on_broken(id);
  metrics_.fork_begun(label::ForkStart::kAhead);
  return Forks{*ids, std::move(fork.not_captured)};
}

void SessionRegistry::fork_anew(const std::shared_ptr<Session>& original, const ForkRequest& request,
                                const Forked& done) {
  original->fork({request.count, Pool::Nest::kSession, standby_.take_capsule(*original)},
                 [this, original, request, done](Result<std::vector<ForkedCopy>> copies) {
                   if (!copies) return done(tl::unexpected<Error>(copies.error()));
                   auto ids = names_for(request);  // once more: somebody else may have taken one meanwhile
                   const Status room = check_room(request.count, original->uid(), request.max_of_uid);
                   if (ids && room) return begin_forks(original, request, std::move(*ids), std::move(*copies), done);
                   for (ForkedCopy& copy : *copies) original->give_back(std::move(copy));
                   done(tl::unexpected<Error>(ids ? room.error() : ids.error()));
                 });
}

void SessionRegistry::begin_forks(const std::shared_ptr<Session>& original, const ForkRequest& request,
                                  std::vector<std::string> ids, std::vector<ForkedCopy> copies, const Forked& done) {
  Forks forks{ids, copies.front().capsule->hello().not_captured};
  const auto& of_memory = copies.front().copy->not_captured();
  forks.not_captured.insert(forks.not_captured.end(), of_memory.begin(), of_memory.end());
  for (size_t i = 0; i < ids.size(); ++i) {
    Session::Start start = original->of(std::move(copies[i]), ids[i], wall_clock_ms());
    start.rollback = mode_of(request, *original);
    // Checked when it was asked for; a reload that came since has lowered them for both.
    start.limits =
        limits_of_fork(request.limits, original->limits(), original->pool().profile().settings).value_or(start.limits);
    add(std::make_shared<Session>(loop_, original->pool(), checkpoints_, std::move(start), metrics_),
        [](const Result<std::string>&) {});  // one that fails now is closed, with its reason, as it would be later
  }
  done(std::move(forks));
}

Status SessionRegistry::check_descent(const std::string& id, const std::string& fork, uid_t uid) {
  const auto place = find(id, uid), chosen = find(fork, uid);
  if (!place || !chosen) return tl::unexpected<Error>((place ? chosen : place).error());
  if (descends_from(*(*chosen)->place(), *(*place)->place())) return {};
  return failure(Errc::kInvalid, "session '" + fork + "' is not a fork of '" + id + "'");
}

// Each may be busy for a moment with a snapshot, the second while the first is waited for.
void SessionRegistry::adopt(const std::string& id, const std::string& fork, uid_t uid, Adopted done) {
  if (const Status descends = check_descent(id, fork, uid); !descends) return done(descends);
  const auto place = sessions_.at(id), chosen = sessions_.at(fork);
  place->when_idle([this, id, fork, uid, place, chosen, done](const Status& free) {
    if (!free) return done(free);
    chosen->when_idle([this, id, fork, uid, place, chosen, done](const Status& fork_free) {
      if (!fork_free) return done(fork_free);
      if (const Status still = check_descent(id, fork, uid); !still) return done(still);
      if (sessions_.at(id) != place || sessions_.at(fork) != chosen) {
        return done(failure(Errc::kConflict, "another session has that name by now"));
      }
      if (!place->is_free()) return adopt(id, fork, uid, done);
      put_in_place(id, fork);
      done({});
    });
  });
}

void SessionRegistry::put_in_place(const std::string& id, const std::string& fork) {
  const std::shared_ptr<Session> old = sessions_.at(id), taken = sessions_.at(fork);
  const Error adopted{Errc::kClosed, "the session was adopted as '" + id + "'"};
  events_.on_closed(fork, adopted);
  closed_.note(fork, taken->uid(), adopted.message, now());
  sessions_.erase(fork);
  for (const auto& [name, session] : sessions_) {  // its forks are forks of who has the place now
    if (session->place()->parent == taken->place()) session->place()->parent = old->place();
  }
  taken->take_place_of(*old);
  sessions_[id] = taken;
  standby_.drop(*old);
  old->close();
  metrics_.session_closed(label::SessionClose::kRemoved);
  log_info("a session goes on as one of its forks", {{"session", id}, {"fork", fork}});
  events_.on_ready(id);
}

Session* SessionRegistry::find(const std::string& id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

Result<Session*> SessionRegistry::find(const std::string& id, uid_t uid) {
  Session* session = find(id);
  if (session == nullptr || (session->uid() != uid && uid != 0)) {
    const std::string why = closed_.tell(id, uid, now());
    return forbidden(label::Policy::kSession,
                     {Errc::kNotFound, "there is no session '" + id + "'" + (why.empty() ? "" : " any more: " + why) +
                                           "; `capsule session ls` lists them"});
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
  closed_.note(id, session->uid(), error.message, now());
  sessions_.erase(id);
  standby_.drop(*session);
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

void SessionRegistry::client_gone(ClientKey client) {
  for (const auto& [id, session] : sessions_) session->untap(client);
}

size_t SessionRegistry::count_of(uid_t uid) const {
  return static_cast<size_t>(
      std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) { return entry.second->uid() == uid; }));
}

bool SessionRegistry::is_saving() const {
  return std::any_of(sessions_.begin(), sessions_.end(), [](const auto& entry) { return entry.second->is_saving(); });
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
