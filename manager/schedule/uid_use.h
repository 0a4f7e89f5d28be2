// What each user of the machine has under way, and whether it may have more. Pure; one thread. Users are told apart by
// the kernel (peer credentials); crashes during runs are ordinary results, counted against who sent the program and
// nobody else: they never feed a profile's breaker.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "manager/config.h"

namespace capsule {

class UidUse {
 public:
  static constexpr seconds kCrashWindow{60};

  explicit UidUse(const ClientConfig& config) : config_(config) {}
  void set_config(const ClientConfig& config) { config_ = config; }

  enum class Cap { kQueued, kQueuedBytes, kWorkers, kCrashes };
  // Which limit one more queued run, of so many bytes, would pass. A limit of 0 is none.
  std::optional<Cap> passed_by_run(uid_t uid, uint64_t bytes, TimePoint now);
  // Whether one-shot runs or sessions of this user may have so many more; else a run waits in the queue.
  bool may_hold_workers(uid_t uid, size_t sessions, uint64_t more) const;
  static std::string describe(Cap cap);

  void queued(uid_t uid, uint64_t bytes);
  void unqueued(uid_t uid, uint64_t bytes);
  uint64_t queued_bytes() const { return queued_bytes_; }  // of all users
  void took_worker(uid_t uid) { ++users_[uid].workers; }
  void gave_worker_back(uid_t uid);
  void crashed(uid_t uid, TimePoint now);

 private:
  struct User {
    size_t queued = 0, workers = 0;  // workers: of one-shot runs
    uint64_t queued_bytes = 0;
    std::deque<TimePoint> crashes;  // of the last kCrashWindow, at most the limit
  };
  void forget_old(uid_t uid, TimePoint now);

  ClientConfig config_;
  std::map<uid_t, User> users_;  // those that have something here
  uint64_t queued_bytes_ = 0;
};

}  // namespace capsule
