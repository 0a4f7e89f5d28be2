#include "manager/pool/pool_policy.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "manager/pool/zygote_policy.h"

namespace capsule {
namespace {

size_t less(size_t a, size_t b) { return a > b ? a - b : 0; }

size_t workers_in_all(const PoolView& view) {
  return view.ready.size() + view.checking + view.starting_workers + view.leased + view.session_workers;
}

size_t room(const PoolView& view, const PoolConfig& config) { return less(config.max, workers_in_all(view)); }

bool is_idle(const PoolView& view, const PoolConfig& config, TimePoint now) {
  return config.idle_timeout != Duration::zero() && view.waiting == 0 && now - view.last_acquire >= config.idle_timeout;
}

TimePoint age_limit(const IdleWorker& worker, const PoolConfig& config) {
  return worker.ready_at + jittered(config.max_idle_age, config.zygote_jitter_ratio, worker.jitter);
}

// The refill keeps off a burst: true while an acquisition is that recent and half of the stock is there.
bool refill_can_wait(const PoolView& view, const StockTargets& targets, TimePoint now) {
  return view.waiting == 0 && view.ready.size() * 2 >= targets.workers && now < view.last_acquire + kRefillDelay;
}

void decide_starts(const PoolView& view, const PoolConfig& config, const StockTargets& targets,
                   PoolDecision& decision) {
  size_t starts = std::min(less(kStartsAtOnce, view.starting_workers + view.starting_capsules), view.starts_allowed);
  const size_t supply = view.ready.size() + view.checking + view.starting_workers;
  const size_t for_proof = view.wants_proof && supply == 0 ? 1 : 0;  // it goes again when there is no other use for it
  const size_t wanted = std::max(view.waiting + targets.workers, for_proof);
  const size_t missing = std::min(less(wanted, supply), room(view, config));

  decision.workers_to_start = std::min({missing, view.ready_capsules, starts});
  starts -= decision.workers_to_start;

  // Workers that find no capsule yet need one each. The stock of capsules comes after who waits for one of them: made
  // at the same time it would take the processor from that very run.
  const size_t stock = view.waiting + for_proof > 0 && missing > 0 ? 0 : targets.capsules;
  const size_t capsules_wanted = missing - decision.workers_to_start + stock;
  const size_t capsules_there = view.ready_capsules - decision.workers_to_start + view.starting_capsules;
  if (view.zygote_ready) decision.capsules_to_start = std::min(less(capsules_wanted, capsules_there), starts);
  if (missing == 0) decision.capsules_to_retire = less(view.ready_capsules, targets.capsules);
}

void retire_excess(const PoolView& view, const PoolConfig& config, const StockTargets& targets, TimePoint now,
                   PoolDecision& decision) {
  const size_t over_target = less(view.ready.size() + view.checking, targets.workers);
  const size_t over_max = less(workers_in_all(view), config.max);
  const size_t count = std::min(std::max(over_target, over_max), view.ready.size());
  if (count == 0) return;
  std::vector<IdleWorker> oldest_first = view.ready;
  std::sort(oldest_first.begin(), oldest_first.end(), [](const IdleWorker& a, const IdleWorker& b) {
    return a.ready_at != b.ready_at ? a.ready_at < b.ready_at : a.id < b.id;
  });
  const RetireReason reason = is_idle(view, config, now) ? RetireReason::kIdle : RetireReason::kExcess;
  for (size_t i = 0; i < count; ++i) decision.retire.push_back({oldest_first[i].id, reason});
}

// One at a time, and only when another can follow: an old worker is better than none.
void retire_aged(const PoolView& view, const PoolConfig& config, TimePoint now, PoolDecision& decision) {
  if (config.max_idle_age == Duration::zero() || view.ready.empty()) return;
  const auto oldest = std::min_element(view.ready.begin(), view.ready.end(), [&](const auto& a, const auto& b) {
    return age_limit(a, config) < age_limit(b, config);
  });
  const TimePoint due_at = age_limit(*oldest, config);
  if (now < due_at) {
    decision.again_at = std::min(decision.again_at, due_at);
    return;
  }
  const bool can_follow = view.zygote_ready && view.starts_allowed != 0;
  const bool is_calm = view.starting_workers + view.starting_capsules == 0;
  if (can_follow && is_calm) decision.retire.push_back({oldest->id, RetireReason::kAge});
}

void decide_check(const PoolView& view, const PoolConfig& config, TimePoint now, PoolDecision& decision) {
  const bool is_wanted = view.wants_proof || config.health_interval != Duration::zero();
  if (!is_wanted || view.checking != 0) return;
  const IdleWorker* longest_unchecked = nullptr;
  for (const IdleWorker& worker : view.ready) {
    const bool retires = std::any_of(decision.retire.begin(), decision.retire.end(),
                                     [&](const Retirement& retirement) { return retirement.id == worker.id; });
    if (retires) continue;
    if (longest_unchecked == nullptr || worker.checked_at < longest_unchecked->checked_at) longest_unchecked = &worker;
  }
  if (longest_unchecked == nullptr) return;
  const TimePoint due_at = view.wants_proof ? now : longest_unchecked->checked_at + config.health_interval;
  if (now >= due_at) {
    decision.check = longest_unchecked->id;
  } else {
    decision.again_at = std::min(decision.again_at, due_at);
  }
}

}  // namespace

std::string_view to_string(RetireReason reason) {
  switch (reason) {
    case RetireReason::kAge: return "age";
    case RetireReason::kIdle: return "idle";
    case RetireReason::kExcess: return "excess";
  }
  return "excess";
}

std::string_view to_string(SessionRecycle reason) {
  switch (reason) {
    case SessionRecycle::kAge: return "age";
    case SessionRecycle::kMemory: return "memory";
  }
  return "age";
}

StockTargets stock_targets(const PoolView& view, const PoolConfig& config, TimePoint now) {
  if (!is_idle(view, config, now)) return {config.warm, config.capsules};
  return {std::min(config.min, config.warm), std::min(config.min, config.capsules)};
}

PoolDecision decide(const PoolView& view, const PoolConfig& config, TimePoint now) {
  assert(config.max > 0);
  PoolDecision decision;
  const StockTargets targets = stock_targets(view, config, now);
  if (refill_can_wait(view, targets, now)) {
    decision.again_at = view.last_acquire + kRefillDelay;
  } else {
    decide_starts(view, config, targets, decision);
  }
  if (view.waiting != 0) return decision;  // whoever waits takes what is ready; nothing is retired or checked

  retire_excess(view, config, targets, now, decision);
  if (decision.retire.empty()) retire_aged(view, config, now, decision);
  decide_check(view, config, now, decision);
  if (config.idle_timeout != Duration::zero() && !is_idle(view, config, now)) {
    decision.again_at = std::min(decision.again_at, view.last_acquire + config.idle_timeout);
  }
  return decision;
}

Result<Acquire> acquire_decision(const PoolView& view, const PoolConfig& config) {
  if (view.ready.size() > view.waiting) return Acquire::kTake;
  if (config.exhaustion == Exhaustion::kWait) return Acquire::kWait;
  const size_t still_to_come = view.ready.size() + view.checking + view.starting_workers + room(view, config);
  if (still_to_come > view.waiting) return Acquire::kWait;
  return failure(Errc::kUnavailable, "every worker of the pool is in use (pool.max = " + std::to_string(config.max) +
                                         ", pool.exhaustion = fail_fast)");
}

std::optional<SessionRecycle> session_recycle_due(TimePoint started_at, uint64_t rss_bytes, const PoolConfig& config,
                                                  TimePoint now) {
  if (config.session_max_rss_bytes != 0 && rss_bytes > config.session_max_rss_bytes) return SessionRecycle::kMemory;
  if (config.session_max_age != Duration::zero() && now - started_at >= config.session_max_age) {
    return SessionRecycle::kAge;
  }
  return std::nullopt;
}

}  // namespace capsule
