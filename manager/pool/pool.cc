// Leases and the stock. How zygotes, capsules and workers come to be is in pool_starts.cc.
#include "manager/pool/pool.h"

#include "manager/observe/log.h"
#include "manager/pool/stock_holder.h"

namespace capsule {
namespace {
constexpr seconds kStartPatience{30};
}

std::vector<Layer> Lease::layers() const { return capsule->layers_of(*worker); }

Pool::Pool(Loop& loop, Profile profile, PoolEnvironment environment, Metrics& metrics, Events events)
    : loop_(loop),
      profile_(std::move(profile)),
      environment_(std::move(environment)),
      metrics_(metrics),
      events_(std::move(events)),
      handle_(metrics.register_profile(profile_.name)),
      random_(std::random_device{}()),
      breaker_(profile_.settings.breaker),
      timer_(loop),
      last_acquire_(now()) {}

Pool::~Pool() = default;

void Pool::start() {
  start_zygote();
  evaluate_soon();
}

void Pool::stop() {
  stopped_ = true;
  timer_.cancel();
  if (zygote_) zygote_->stop();
  if (next_zygote_) next_zygote_->stop();
  fail_waiters({Errc::kClosed, "the manager is shutting down"});
  for (auto& [id, slot] : slots_) {
    const bool is_held = slot.use == Slot::Use::kLeased || slot.use == Slot::Use::kSession;
    if (!is_held && slot.use != Slot::Use::kStandby) retire(id, label::Recycle::kShutdown);
  }
}

void Pool::set_profile(Profile profile) {
  const Profile old = std::exchange(profile_, std::move(profile));
  breaker_.set_config(profile_.settings.breaker);
  unavailable_ = false;
  const bool is_same = old.preload == profile_.preload && old.content == profile_.content &&
                       old.settings.limits == profile_.settings.limits &&
                       old.settings.sandbox == profile_.settings.sandbox &&
                       old.settings.worker == profile_.settings.worker;
  if (!is_same) load_anew();
  evaluate_soon();
}

Pool::Ticket Pool::acquire(Purpose purpose, TimePoint deadline, Acquired done) {
  const TimePoint at = now();
  last_acquire_ = at;
  const Ticket ticket = ++last_ticket_;
  evaluate_soon();
  if (Slot* slot = waiting_.empty() ? find_ready() : nullptr) {
    done(lease_slot(*slot, purpose, true, at));
    return ticket;
  }
  if (const Status admitted = admit(); !admitted) {
    metrics_.pool_exhausted(handle_);
    done(tl::unexpected<Error>(admitted.error()));
    return ticket;
  }
  waiting_.push_back({ticket, purpose, std::move(done), at, deadline});
  return ticket;
}

bool Pool::cancel(Ticket ticket) {
  for (auto waiter = waiting_.begin(); waiter != waiting_.end(); ++waiter) {
    if (waiter->ticket != ticket) continue;
    waiting_.erase(waiter);
    metrics_.pool_exhausted(handle_);
    return true;
  }
  return false;
}

void Pool::release(Lease lease, label::Recycle why) {
  if (lease.worker) lease.worker->set_holder(nullptr);
  if (lease.capsule) retire(lease.capsule->id(), why);
  evaluate_soon();
}

void Pool::worker_replaced(const Lease& lease, label::Recycle why) {
  metrics_.worker_recycled(handle_, why);
  const auto found = slots_.find(lease.capsule->id());
  if (found != slots_.end()) found->second.worker = lease.worker;
}

void Pool::make_nested(const Lease& lease, Nest nest, CapsuleProcess::NestedMade made) {
  const uint64_t id = ++last_id_;
  if (nest == Nest::kSession) ++nesting_capsules_;
  lease.capsule->make_nested(
      id, [this, id] { capsule_gone(id); },
      [this, id, nest, made = std::move(made)](Result<std::shared_ptr<CapsuleProcess>> capsule) {
        if (nest == Nest::kSession) --nesting_capsules_;
        if (!capsule) return made(std::move(capsule));
        Slot& slot = slots_[id];
        slot.capsule = *capsule;
        slot.use = nest == Nest::kSession ? Slot::Use::kSession : Slot::Use::kStandby;
        slot.begun_at = slot.ready_at = now();
        slot.generation = zygote_generation_;
        made(std::move(capsule));
      });
}

void Pool::standby_taken(const Lease& lease) {
  const auto found = slots_.find(lease.capsule->id());
  if (found != slots_.end() && found->second.use == Slot::Use::kStandby) found->second.use = Slot::Use::kSession;
}

void Pool::worker_moved_in(const Lease& lease) {
  const auto found = slots_.find(lease.capsule->id());
  if (found != slots_.end()) found->second.worker = lease.worker;
}

Status Pool::admit_forks(size_t count) const {
  if (stopped_) return failure(Errc::kClosed, "the manager is shutting down");
  const PoolView picture = view();
  const size_t workers = picture.leased + picture.session_workers + nesting_capsules_;
  if (workers + count <= profile_.settings.pool.max) return {};
  return failure(Errc::kUnavailable, "profile '" + profile_.name + "' has " + std::to_string(workers) + " of " +
                                         std::to_string(profile_.settings.pool.max) +
                                         " workers in use (pool.max): no room for " + std::to_string(count) + " forks");
}

Lease Pool::lease_slot(Slot& slot, Purpose purpose, bool hit, TimePoint asked_at) {
  slot.use = purpose == Purpose::kRun ? Slot::Use::kLeased : Slot::Use::kSession;
  last_acquire_ = now();  // for who waited, its run begins only now
  slot.worker->set_holder(nullptr);
  slot.worker->apply(WorkerEvent::kLeased);
  holders_.erase(slot.capsule->id());
  metrics_.pool_acquired(handle_, hit ? label::Lease::kHit : label::Lease::kMiss, now() - asked_at);
  return Lease{slot.capsule, slot.worker, hit};
}

// The one that has waited longest: the stock turns over, so that none grows old in it.
Pool::Slot* Pool::find_ready() {
  Slot* oldest = nullptr;
  for (auto& [id, slot] : slots_) {
    if (slot.use != Slot::Use::kReadyWorker) continue;
    if (oldest == nullptr || slot.ready_at < oldest->ready_at) oldest = &slot;
  }
  return oldest;
}

void Pool::serve_waiters() {
  while (!waiting_.empty()) {
    Slot* slot = find_ready();
    if (slot == nullptr) return;
    Waiter waiter = std::move(waiting_.front());
    waiting_.pop_front();
    waiter.done(lease_slot(*slot, waiter.purpose, false, waiter.since));
  }
}

TimePoint Pool::expire_waiters(TimePoint at) {
  TimePoint next = TimePoint::max();
  std::vector<Acquired> late;
  for (auto waiter = waiting_.begin(); waiter != waiting_.end();) {
    if (waiter->deadline <= at) {
      late.push_back(std::move(waiter->done));
      waiter = waiting_.erase(waiter);
    } else {
      next = std::min(next, waiter->deadline);
      ++waiter;
    }
  }
  const std::string why = "no worker in time (pool.acquire_timeout_s)" + (detail_.empty() ? "" : ": " + detail_);
  for (const Acquired& done : late) {
    metrics_.pool_exhausted(handle_);
    done(failure(Errc::kTimedOut, why));
  }
  return next;
}

void Pool::fail_waiters(const Error& error) {
  for (Waiter& waiter : std::exchange(waiting_, {})) {
    metrics_.pool_exhausted(handle_);
    waiter.done(tl::unexpected<Error>(error));
  }
}

PoolView Pool::view() const {
  PoolView view;
  for (const auto& [id, slot] : slots_) {
    switch (slot.use) {
      case Slot::Use::kStarting: ++view.starting_capsules; break;
      case Slot::Use::kReadyCapsule: ++view.ready_capsules; break;
      case Slot::Use::kWorkerStarting: ++view.starting_workers; break;
      case Slot::Use::kReadyWorker: view.ready.push_back({id, slot.ready_at, slot.checked_at, slot.jitter}); break;
      case Slot::Use::kChecking: ++view.checking; break;
      case Slot::Use::kLeased: ++view.leased; break;
      case Slot::Use::kSession: ++view.session_workers; break;
      case Slot::Use::kStandby:
      case Slot::Use::kRetiring: break;
    }
  }
  view.starting_capsules += branching_capsules_;
  view.waiting = waiting_.size();
  view.zygote_ready = zygote_ && zygote_->is_ready();
  view.starts_allowed = breaker_.starts_allowed(now());
  view.last_acquire = last_acquire_;
  view.wants_proof = wants_proof_;
  return view;
}

WorkerCounts Pool::worker_counts() const {
  WorkerCounts counts;
  for (const auto& [id, slot] : slots_) {
    if (!slot.worker) continue;
    switch (slot.worker->state()) {
      case WorkerState::kStarting: ++counts.starting; break;
      case WorkerState::kIdle: ++counts.idle; break;
      case WorkerState::kLeased: ++counts.leased; break;
      case WorkerState::kRetiring: ++counts.retiring; break;
      case WorkerState::kGone: break;
    }
  }
  return counts;
}

std::vector<std::shared_ptr<Worker>> Pool::workers() const {
  std::vector<std::shared_ptr<Worker>> all;
  for (const auto& [id, slot] : slots_) {
    if (slot.worker && slot.worker->state() != WorkerState::kGone) all.push_back(slot.worker);
  }
  return all;
}

Status Pool::admit() const {
  if (stopped_) return failure(Errc::kClosed, "the manager is shutting down");
  if (unavailable_) return failure(Errc::kUnavailable, "profile '" + profile_.name + "' cannot be had: " + detail_);
  const auto decision = acquire_decision(view(), profile_.settings.pool);
  if (!decision) return tl::unexpected<Error>(decision.error());
  return {};
}

bool Pool::has_room() const {
  if (stopped_) return false;
  if (unavailable_) return true;  // the acquirer is told so at once
  const PoolView picture = view();
  const size_t coming = picture.ready.size() + picture.starting_workers;
  if (coming > picture.waiting) return true;
  if (breaker_.state(now()) == Breaker::State::kOpen) return false;
  const size_t workers = coming + picture.checking + picture.leased + picture.session_workers;
  return workers + (picture.waiting - coming) < profile_.settings.pool.max;
}

Pool::State Pool::state() const {
  if (stopped_) return State::kStopped;
  if (unavailable_) return State::kUnavailable;
  if (zygote_ && zygote_->is_ready()) return State::kReady;
  return breaker_.state(now()) == Breaker::State::kOpen ? State::kBackoff : State::kStarting;
}

bool Pool::is_warm() const { return was_warm_ || unavailable_; }

void Pool::evaluate_soon() {
  if (std::exchange(evaluating_soon_, true)) return;
  loop_.post([this] {
    evaluating_soon_ = false;
    evaluate();
  });
}

void Pool::evaluate() {
  if (stopped_) return;
  if (!zygote_ && !next_zygote_ && !unavailable_ && breaker_.starts_allowed(now()) > 0) start_zygote();
  replace_zygote_when_due();
  serve_waiters();
  const TimePoint at = now();
  TimePoint next_look = give_up_stuck_starts(at);
  const TimePoint next_expiry = expire_waiters(at);
  const PoolView picture = view();
  const PoolDecision decision = decide(picture, profile_.settings.pool, at);
  const StockTargets targets = stock_targets(picture, profile_.settings.pool, at);
  if (picture.ready.size() + picture.checking < targets.workers) {
    if (warm_up_needed_.set()) metrics_.warmup_triggered(handle_);
  } else {
    warm_up_needed_.clear();
    become_warm();
  }
  if (picture.leased + picture.session_workers >= profile_.settings.pool.max) {
    if (max_reached_.set()) metrics_.pool_max_reached(handle_);
  } else {
    max_reached_.clear();
  }
  for (const Retirement& leaving : decision.retire) {
    const auto why = leaving.reason == RetireReason::kAge    ? label::Recycle::kAge
                     : leaving.reason == RetireReason::kIdle ? label::Recycle::kIdle
                                                             : label::Recycle::kExcess;
    retire(leaving.id, why);
  }
  size_t to_start = decision.workers_to_start, to_retire = decision.capsules_to_retire;
  for (auto& [id, slot] : slots_) {
    if (slot.use != Slot::Use::kReadyCapsule) continue;
    if (to_start > 0) {
      --to_start;
      start_worker(id);
    } else if (to_retire > 0) {
      --to_retire;
      retire(id, label::Recycle::kExcess);
    }
  }
  for (size_t i = 0; i < decision.capsules_to_start; ++i) start_capsule();
  if (decision.check) check(*decision.check);
  metrics_.set_breaker(handle_,
                       breaker_.state(at) == Breaker::State::kClosed ? label::Breaker::kClosed : label::Breaker::kOpen);
  TimePoint wake = std::min({decision.again_at, breaker_.retry_at(at), next_expiry, next_look});
  if (zygote_lifetime_ && zygote_) wake = std::min(wake, zygote_lifetime_->age_limit_at());
  timer_.at(std::max(wake, at + milliseconds(1)), [this] { evaluate(); });
}

// A keeper or worker that does not come up (stopped, stuck in a library's fork hook) must not hold its place for ever.
TimePoint Pool::give_up_stuck_starts(TimePoint at) {
  TimePoint next = TimePoint::max();
  std::vector<uint64_t> stuck;
  for (const auto& [id, slot] : slots_) {
    if (slot.use != Slot::Use::kStarting && slot.use != Slot::Use::kWorkerStarting) continue;
    const TimePoint until = slot.begun_at + kStartPatience;
    until <= at ? stuck.push_back(id) : void(next = std::min(next, until));
  }
  for (const uint64_t id : stuck) stock_worker_failed(id, label::Recycle::kStartFailed, "a start took too long");
  return next;
}

void Pool::check(uint64_t id) {
  Slot& slot = slots_.at(id);
  if (health_due_.set()) metrics_.health_triggered(handle_);
  slot.use = Slot::Use::kChecking;
  slot.worker->check_health([this, id](label::HealthOutcome outcome) {
    const auto found = slots_.find(id);
    if (found == slots_.end() || found->second.use != Slot::Use::kChecking) return;
    health_due_.clear();
    metrics_.health_checked(handle_, outcome);
    if (outcome != label::HealthOutcome::kOk) {
      const bool is_late = outcome == label::HealthOutcome::kTimedOut;
      return stock_worker_failed(id, label::Recycle::kUnhealthy,
                                 is_late ? "did not answer its health check" : "failed its health check");
    }
    found->second.use = Slot::Use::kReadyWorker;
    found->second.checked_at = now();
    python_ran(found->second.checked_at);
    evaluate_soon();
  });
}

void Pool::prove() {
  wants_proof_ = true;
  evaluate_soon();
}

void Pool::python_ran(TimePoint at) {
  python_ran_at_ = at;
  wants_proof_ = false;
}

void Pool::retire(uint64_t id, label::Recycle why) {
  const auto found = slots_.find(id);
  if (found == slots_.end() || found->second.use == Slot::Use::kRetiring) return;
  Slot& slot = found->second;
  if (slot.use == Slot::Use::kStarting || slot.use == Slot::Use::kWorkerStarting) breaker_.start_dropped();
  slot.use = Slot::Use::kRetiring;
  slot.retired_why = why;
  holders_.erase(id);
  if (slot.worker) {
    slot.worker->set_holder(nullptr);
    slot.worker->apply(WorkerEvent::kRetired);
    metrics_.worker_recycled(handle_, why);
  }
  slot.capsule->destroy();
}

void Pool::count_death(const std::string& what) {
  log_warning("a start or a parked process failed", {{"profile", profile_.name}, {"what", what}});
  const TimePoint at = now();
  breaker_.death(at, random());
  if (breaker_.state(at) == Breaker::State::kOpen) {
    log_error("the profile's breaker is open: nothing is started for a while",
              {{"profile", profile_.name}, {"retry_in_s", std::to_string(to_seconds(breaker_.retry_at(at) - at))}});
    settle();
  }
  evaluate_soon();
}

void Pool::become_warm() {
  if (std::exchange(was_warm_, true)) return;
  settled_ = true;
  if (events_.on_settled) events_.on_settled();
}

void Pool::settle() {
  if (std::exchange(settled_, true)) return;
  if (events_.on_settled) events_.on_settled();
}

}  // namespace capsule
