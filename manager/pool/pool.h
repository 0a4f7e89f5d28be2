// One profile's workers: two stocks (ready workers, ready capsules), the zygote they come from, and the leases. What to
// start and end is decided by pool_policy, breaker and zygote_policy; this carries it out and counts.
//
// Owned by the manager; lives on the loop's thread. A lease is given back with release() exactly once; its worker is
// never used again by anybody else.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "manager/config.h"
#include "manager/files/scratch.h"
#include "manager/pool/breaker.h"
#include "manager/pool/capsule_process.h"
#include "manager/pool/pool_policy.h"
#include "manager/pool/trigger.h"
#include "manager/pool/user_range.h"
#include "manager/pool/zygote_policy.h"
#include "manager/pool/zygote_process.h"

namespace capsule {

struct Lease {
  std::shared_ptr<CapsuleProcess> capsule;
  std::shared_ptr<Worker> worker;
  bool hit = false;  // it was ready when it was asked for

  std::vector<Layer> layers() const;  // the capsule's, and what its worker adds
};

struct PoolEnvironment {
  std::string worker_program;
  std::map<std::string, std::string> variables;  // of every zygote
  std::shared_ptr<Scratch> scratch;              // for workspaces when capsules cannot have private ones
  unsigned worker_user = 0;                      // 0: the manager's own
  CgroupKeeper* cgroups = nullptr;               // the manager's; outlives every pool
  UserRange* users = nullptr;                    // of capsules; none: they share worker_user
};

class Pool {
 public:
  enum class State { kStarting, kReady, kBackoff, kUnavailable, kStopped };
  enum class Purpose { kRun, kSession };
  using Acquired = std::function<void(Result<Lease>)>;
  using Ticket = uint64_t;

  struct Events {
    std::function<void()> on_settled;  // warm, unavailable, or failing: its fate is known; again once it is warm
    std::function<void()> on_room;     // has_room() may have become true
  };

  Pool(Loop& loop, Profile profile, PoolEnvironment environment, Metrics& metrics, Events events);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void start();
  void stop();  // ends everything; leases are the holders' to release
  // Limits hold at once. What a zygote is made with (modules, mounts, sandbox) holds as soon as a new one is loaded,
  // which then replaces the old one and the stock that came from it; when it cannot be loaded, they stay.
  void set_profile(Profile profile);

  // The callback comes later, or at once from inside when one is ready. It is not called after cancel(). kTimedOut when
  // there is none by the deadline.
  Ticket acquire(Purpose purpose, TimePoint deadline, Acquired done);
  bool cancel(Ticket ticket);
  void release(Lease lease, label::Recycle why);
  // A session forks its next worker in the capsule it has; the pool only keeps the picture.
  uint64_t next_worker_id() { return ++last_id_; }
  void worker_replaced(const Lease& lease, label::Recycle why);

  // For forks of a session: a capsule inside the one it has, counted like any other that has a session. What lives in
  // it comes by worker_moved_in(); release() gives it back, also without.
  // A standby is one that nobody asked for yet: it counts as nothing until standby_taken().
  enum class Nest { kSession, kStandby };
  void make_nested(const Lease& lease, Nest nest, CapsuleProcess::NestedMade made);
  void standby_taken(const Lease& lease);
  void worker_moved_in(const Lease& lease);
  Status admit_forks(size_t count) const;

  // Whether a further acquirer would get a worker without anything being given back first.
  bool has_room() const;
  // kUnavailable when it is exhausted and configured to fail fast, or cannot be had at all.
  Status admit() const;

  State state() const;
  bool is_settled() const { return settled_; }
  bool is_warm() const;  // the stock has been full once
  // When Python last ran a statement in a worker that nobody has used: when it was made, or at a health check.
  std::optional<TimePoint> python_ran_at() const { return python_ran_at_; }
  // Has it do so soon: a worker of the stock is checked, or one is made where there is none. At pool.max nothing can be
  // done.
  void prove();
  const std::string& detail() const { return detail_; }
  const Profile& profile() const { return profile_; }
  const ZygoteProcess* zygote() const { return zygote_.get(); }
  const Breaker& breaker() const { return breaker_; }
  const std::vector<Layer>& layers() const { return layers_; }
  const std::map<std::string, uint64_t>& spawn_timings_us() const { return spawn_timings_us_; }
  ProfileHandle handle() const { return handle_; }
  PoolView view() const;
  WorkerCounts worker_counts() const;
  size_t waiting() const { return waiting_.size(); }
  size_t slots() const { return slots_.size(); }  // capsules that still exist
  std::vector<std::shared_ptr<Worker>> workers() const;

 private:
  // A capsule and what it is for right now.
  struct Slot {
    enum class Use {
      kStarting,
      kReadyCapsule,
      kWorkerStarting,
      kReadyWorker,
      kChecking,
      kLeased,
      kSession,
      kStandby,
      kRetiring
    };
    std::shared_ptr<CapsuleProcess> capsule;
    std::shared_ptr<Worker> worker;
    Use use = Use::kStarting;
    uint32_t user = 0;  // of environment_.users; 0: none
    TimePoint ready_at{}, checked_at{}, begun_at{};
    uint64_t generation = 0;  // of the zygote it came from
    double jitter = 0;
    label::Recycle retired_why = label::Recycle::kUsed;
  };
  struct Waiter {
    Ticket ticket;
    Purpose purpose;
    Acquired done;
    TimePoint since, deadline;
  };

  // Holds a worker while it is in the stock: whatever ends it there, user code cannot have caused.
  class StockHolder;

  void evaluate_soon();
  void evaluate();
  void start_zygote();
  Prepare preparation() const;
  void load_anew();
  void retire_outdated();
  void fill_content(Prepare& prepare) const;
  void zygote_ready(uint64_t generation, const Hello& hello);
  void zygote_gone(uint64_t generation, label::ZygoteRestart cause, const std::string& why);
  void replace_zygote_when_due();
  void start_capsule();
  struct Branching {
    uint64_t id, generation;
    std::shared_ptr<ScratchPlace> workspace;
    uint32_t user;
  };
  void capsule_branched(Branching of, Result<BranchedCapsule> branched);
  void give_back_user(uint32_t user);
  bool stays_in_its_group(uint32_t user) const;
  Result<std::shared_ptr<ScratchPlace>> make_workspace(uint64_t id, uint32_t user);
  void capsule_ready(uint64_t id, const Hello& hello);
  void capsule_gone(uint64_t id);
  void start_worker(uint64_t id);
  void worker_ready(uint64_t id, const Hello& hello);
  void stock_worker_failed(uint64_t id, label::Recycle why, const std::string& text);
  TimePoint give_up_stuck_starts(TimePoint at);  // when to look again
  void check(uint64_t id);
  void python_ran(TimePoint at);
  void retire(uint64_t id, label::Recycle why);
  void serve_waiters();
  TimePoint expire_waiters(TimePoint at);  // when to look again
  Lease lease_slot(Slot& slot, Purpose purpose, bool hit, TimePoint asked_at);
  void count_death(const std::string& what);
  void settle();
  void become_warm();
  void note_layers(const Hello& hello);
  void fail_waiters(const Error& error);
  double random() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  Slot* find_ready();

  Loop& loop_;
  Profile profile_;
  PoolEnvironment environment_;
  Metrics& metrics_;
  Events events_;
  ProfileHandle handle_;
  std::mt19937_64 random_;
  Breaker breaker_;
  std::optional<TimePoint> python_ran_at_;
  bool wants_proof_ = false;  // until python_ran_at_ is newer
  Trigger warm_up_needed_, health_due_, max_reached_;
  Timer timer_;
  std::shared_ptr<ZygoteProcess> zygote_, next_zygote_;
  std::optional<ZygoteLifetime> zygote_lifetime_;
  label::ZygoteRestart replaced_why_ = label::ZygoteRestart::kAge;  // of zygote_, by next_zygote_
  uint64_t zygote_generation_ = 0, next_generation_ = 0;
  uint64_t outdated_before_ = 0;  // stock of earlier zygotes is of another profile than today's
  std::map<uint64_t, Slot> slots_;
  std::map<uint64_t, std::unique_ptr<StockHolder>> holders_;
  std::deque<Waiter> waiting_;
  std::vector<Layer> layers_;         // of the latest capsule, and of the latest worker after them
  std::vector<Layer> worker_layers_;  // their second part
  std::map<std::string, uint64_t> spawn_timings_us_;
  std::string detail_;
  TimePoint last_acquire_;
  uint64_t last_id_ = 0;
  Ticket last_ticket_ = 0;
  size_t branching_capsules_ = 0;
  size_t nesting_capsules_ = 0;
  bool needs_workspace_ = false;
  bool settled_ = false, was_warm_ = false;
  bool unavailable_ = false, stopped_ = false;
  bool evaluating_soon_ = false;
};

}  // namespace capsule
