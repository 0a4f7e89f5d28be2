// How many workers and capsules a profile's pool should start and end now. Pure: a picture of the pool in, a decision
// out. Call it after every event of the pool and at `again_at`; the same picture gives the same decision.
//
// Two stocks: ready workers (forked, warmed up) and ready capsules (keeper and sandbox in place, no worker yet). A
// worker is always started in a ready capsule. Order: who waits comes first, then the ready workers up to pool.warm,
// then the ready capsules up to pool.capsules. Workers of all kinds together never pass pool.max; capsules without a
// worker do not count. At most kStartsAtOnce starts are under way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "manager/config.h"

namespace capsule {

using WorkerId = uint64_t;

inline constexpr size_t kStartsAtOnce = 2;      // forks compete with the runs for the processors
inline constexpr milliseconds kRefillDelay{3};  // refilling keeps off a burst as long as half the stock is there

// A never-used worker in the stock.
struct IdleWorker {
  WorkerId id = 0;
  TimePoint ready_at{};
  TimePoint checked_at{};  // last health check, or ready_at
  double jitter = 0;       // in [0, 1), drawn when it became ready; spreads recycling by age
};

struct PoolView {
  std::vector<IdleWorker> ready;  // only those that can be leased; one in a health check counts as `checking`
  size_t checking = 0;
  size_t starting_workers = 0;
  size_t leased = 0;  // by one-shot runs
  size_t session_workers = 0;
  size_t ready_capsules = 0;
  size_t starting_capsules = 0;
  size_t waiting = 0;         // acquirers without a worker
  bool wants_proof = false;   // somebody asks whether Python runs: a worker is checked, or made
  bool zygote_ready = false;  // can make capsules; ready capsules can be used without it
  size_t starts_allowed = 0;  // Breaker::starts_allowed
  TimePoint last_acquire{};   // of a worker: asked for or handed over; the pool's start when there was none
};

enum class RetireReason {
  kAge,     // unused for longer than pool.max_idle_age_s
  kIdle,    // nobody acquired for pool.idle_timeout_s: the stock shrinks to pool.min
  kExcess,  // more than the target: a returned start, a new configuration
};
std::string_view to_string(RetireReason reason);  // age, idle, excess

struct Retirement {
  WorkerId id = 0;
  RetireReason reason = RetireReason::kAge;
};

struct PoolDecision {
  size_t workers_to_start = 0;  // in as many of the ready capsules
  size_t capsules_to_start = 0;
  std::vector<Retirement> retire;
  size_t capsules_to_retire = 0;
  std::optional<WorkerId> check;  // run a health check on this one now
  TimePoint again_at = TimePoint::max();
};

PoolDecision decide(const PoolView& view, const PoolConfig& config, TimePoint now);

// What the stocks are aimed at now: pool.warm and pool.capsules, or pool.min once idle for too long.
struct StockTargets {
  size_t workers = 0;
  size_t capsules = 0;
};
StockTargets stock_targets(const PoolView& view, const PoolConfig& config, TimePoint now);

// Somebody wants a worker (not yet counted in `waiting`).
enum class Acquire { kTake, kWait };
// kUnavailable, naming the knob, when the pool is exhausted and pool.exhaustion is fail_fast: none is ready, and
// neither those that are starting nor those that pool.max still has room for would suffice.
Result<Acquire> acquire_decision(const PoolView& view, const PoolConfig& config);

// Whether a session's worker is to be replaced between runs, and why.
enum class SessionRecycle { kAge, kMemory };
std::string_view to_string(SessionRecycle reason);  // age, memory
std::optional<SessionRecycle> session_recycle_due(TimePoint started_at, uint64_t rss_bytes, const PoolConfig& config,
                                                  TimePoint now);

}  // namespace capsule
