// Forks that are made before they are asked for. Who forks a session mostly forks it again: best of N, a search tree,
// rollouts from one prefix. So after a fork (after each run, with sessions.fork_standby_of = all), once its session has
// nothing to do, one more is made and kept aside: a whole session, awake, that only lacks a name. The next request for
// one fork takes it, if the original has run nothing since and no file of it has changed; of one that has left programs
// running none is made. For one that comes after a run an empty capsule is kept as well: into that one the original is
// copied, if no file has changed.
//
// Owned by the SessionRegistry; lives on the loop's thread. At most one for each session, kMost in all; dropped when
// the original goes on, and when nobody has taken it for sessions.fork_standby_s. It counts as nobody's session and
// as no worker of its pool, so it never stands in the way of what somebody asks for.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "manager/sessions/session.h"

namespace capsule {

class ForkStandby {
 public:
  static constexpr size_t kMost = 8;
  static constexpr unsigned kOutdatedMax = 3;  // times in which files had changed; then no more are made
  static constexpr milliseconds kRest{20};     // of the original before one is made, or is tried again
  static constexpr milliseconds kLook{500};    // until the next look whether one is still of use

  struct Fork {
    std::shared_ptr<Session> session;
    std::vector<std::string> not_captured;
  };
  // Makes the session that the copy becomes; it is begun here.
  using MakeSession = std::function<std::shared_ptr<Session>(Session& original, ForkedCopy copy, RollbackMode mode)>;
  // Events of a session from the moment on when it is taken.
  using EventsOf = std::function<Session::Events(const std::shared_ptr<Session>& session)>;
  using Taken = std::function<void(std::optional<Fork>)>;

  ForkStandby(Loop& loop, MakeSession make, EventsOf events)
      : loop_(loop), make_(std::move(make)), events_(std::move(events)) {}

  // It was forked just now, or is expected to be. Zero: none is made.
  void prepare(const std::shared_ptr<Session>& original, RollbackMode mode, Duration keep);
  // An empty one, for a fork that cannot be taken. Null: there is none. The caller releases it.
  std::shared_ptr<CapsuleProcess> take_capsule(const Session& original);
  // Nothing: there is none, or it is not what the original is now.
  void take(const std::shared_ptr<Session>& original, RollbackMode mode, Taken taken);
  void drop(const Session& original);
  bool has(const Session& original) const;

 private:
  struct Entry {
    explicit Entry(Loop& loop) : timer(loop) {}
    std::weak_ptr<Session> original;
    RollbackMode mode{};
    TimePoint until;
    Timer timer;
    bool is_making = false;
    bool is_ready = false;
    uint64_t of_state = 0;
    std::shared_ptr<Session> session;
    std::vector<std::string> not_captured;
    Pool* pool = nullptr;  // of the original
    std::shared_ptr<CapsuleProcess> capsule;
    bool is_nesting = false;
    unsigned outdated = 0;
  };
  using EntryPtr = std::shared_ptr<Entry>;

  void look(const EntryPtr& entry);
  void make_one(const EntryPtr& entry, const std::shared_ptr<Session>& original);
  void begin(const EntryPtr& entry, const std::shared_ptr<Session>& original, ForkedCopy copy);
  void make_capsule(const EntryPtr& entry, const std::shared_ptr<Session>& original);
  bool is_current(const EntryPtr& entry, const std::shared_ptr<Session>& original) const;
  bool is_of_use(const Entry& entry) const;
  bool can_be_taken(const Entry& entry) const;
  void drop_session(Entry& entry);
  void drop_capsule(Entry& entry);
  void forget(const Entry& entry);

  Loop& loop_;
  MakeSession make_;
  EventsOf events_;
  std::map<const Session*, EntryPtr> entries_;
};

}  // namespace capsule
