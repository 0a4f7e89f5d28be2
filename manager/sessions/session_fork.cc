// Forks of a live session: what the original does for them, and how one begins.
#include "manager/observe/log.h"
#include "manager/sessions/session.h"

namespace capsule {

// ---- the original ----------------------------------------------------------------------------------------------

void Session::fork(ForkPlan plan, Forked answer) {
  when_free([this, plan, answer](const Status& free) {
    const bool is_asked_for = plan.nest == Pool::Nest::kSession;
    const Status may = free && is_asked_for ? pool_.admit_forks(plan.count) : free;
    if (!may) {
      if (plan.prepared) pool_.release(Lease{plan.prepared, nullptr}, label::Recycle::kSession);
      return answer(tl::unexpected<Error>(may.error()));
    }
    if (is_asked_for) last_used_ = now();
    events_.on_broken();
    forking_ = std::make_unique<Forking>(Forking{plan, answer});
    make_next_fork();
  });
}

void Session::nest_in_advance(CapsuleProcess::NestedMade made) {
  pool_.make_nested(lease_, Pool::Nest::kStandby, std::move(made));
}

void Session::make_next_fork() {
  if (forking_->made.size() == forking_->plan.count) return end_forking({});
  if (const auto prepared = std::exchange(forking_->plan.prepared, nullptr)) return try_prepared(prepared);
  if (forking_->plan.nest == Pool::Nest::kSession) metrics_.fork_begun(label::ForkStart::kNothing);
  pool_.make_nested(lease_, forking_->plan.nest,
                    [self = shared_from_this()](Result<std::shared_ptr<CapsuleProcess>> made) {
                      if (made) return self->fork_into(*made);
                      if (self->forking_) self->end_forking(tl::unexpected<Error>(made.error()));
                    });
}

// Copied while the keeper inside looks at the files. If these have changed since, both are of no use.
void Session::try_prepared(const std::shared_ptr<CapsuleProcess>& capsule) {
  struct Tried {
    std::optional<bool> is_current;
    std::optional<Result<std::unique_ptr<ParkedCopy>>> copy;
  };
  const auto tried = std::make_shared<Tried>();
  const auto judge = [self = shared_from_this(), capsule, tried] {
    if (!tried->is_current || !tried->copy) return;
    if (*tried->is_current) {
      self->pool_.standby_taken(Lease{capsule, nullptr});
      self->metrics_.fork_begun(label::ForkStart::kCapsule);
      return self->forked(std::move(*tried->copy), capsule);
    }
    tried->copy.reset();
    self->pool_.release(Lease{capsule, nullptr}, label::Recycle::kSession);
    if (self->forking_) self->make_next_fork();
  };
  capsule->ask_whether_files_are_current([tried, judge](bool current) {
    tried->is_current = current;
    judge();
  });
  copy_into(capsule, [tried, judge](Result<std::unique_ptr<ParkedCopy>> copy) {
    tried->copy = std::move(copy);
    judge();
  });
}

void Session::fork_into(const std::shared_ptr<CapsuleProcess>& capsule) {
  copy_into(capsule, [self = shared_from_this(), capsule](Result<std::unique_ptr<ParkedCopy>> copy) {
    self->forked(std::move(copy), capsule);
  });
}

void Session::copy_into(const std::shared_ptr<CapsuleProcess>& capsule, CopyMaker::Made made) {
  if (forking_ && state_ == SessionState::kReady && lease_.worker) {
    return snapshots_.take_into(lease_, capsule, std::move(made));
  }
  made(failure(Errc::kUnavailable, "the session lost its worker while it was forked"));
}

void Session::forked(Result<std::unique_ptr<ParkedCopy>> copy, const std::shared_ptr<CapsuleProcess>& capsule) {
  if (!copy || !forking_) {
    pool_.release(Lease{capsule, nullptr}, label::Recycle::kSession);
    if (!forking_) return;
    const Error why = copy.error();
    end_forking(tl::unexpected<Error>(why));
    if (why.code == Errc::kTimedOut) lose_between_runs(label::Recycle::kLost, kNoCopyInTime);
    return;
  }
  forking_->made.push_back({capsule, std::move(*copy), lease_.worker->hello().layers});
  make_next_fork();
}

void Session::end_forking(const Status& status) {
  if (!forking_) return;
  const auto forking = std::exchange(forking_, nullptr);
  if (status) {
    forking->answer(std::move(forking->made));
  } else {
    for (ForkedCopy& copy : forking->made) give_back(std::move(copy));
    forking->answer(tl::unexpected<Error>(status.error()));
  }
  act_when_free({});
  if (is_free()) events_.on_ready();
  watch_idleness();
}

void Session::give_back(ForkedCopy copy) {
  copy.copy.reset();
  pool_.release(Lease{std::move(copy.capsule), nullptr}, label::Recycle::kSession);
}

Session::Start Session::of(ForkedCopy copy, std::string id, int64_t created_wall_ms) const {
  Start start{std::move(id),
              start_.uid,
              start_.idle_timeout,
              created_wall_ms,
              start_.limits,
              start_.secrets,
              start_.rollback,
              start_.snapshots,
              {},
              place_,
              std::make_shared<const History>(history())};
  start.fork = std::move(copy);
  return start;
}

// ---- the copy --------------------------------------------------------------------------------------------------

// Woken once its keeper knows that what moved in is a worker: it may not have heard yet that it is there.
void Session::move_in() {
  is_moving_in_ = true;
  ForkedCopy fork = std::move(*start_.fork);
  start_.fork.reset();
  lease_.capsule = std::move(fork.capsule);
  snapshots_.clear(Origin::kUnique);
  auto doors = lease_.capsule->open_cgroup_doors();
  if (!doors) return fail(doors.error());
  if (!fork.copy->is_reachable()) return fail({Errc::kUnavailable, "the fork ended before it began"});
  const pid_t pid = fork.copy->pid_in_capsule();
  const auto keys = std::make_shared<std::vector<UniqueFd>>(std::move(*doors));
  lease_.capsule->sweep(pid, [still = weak_from_this(), keys](const Status& swept) {
    const auto self = still.lock();
    if (!swept || !self || !self->is_moving_in_ || !self->lease_.worker) return;  // whoever ended it says why
    self->lease_.worker->send(Wake{self->lease_.worker->name(), true}, std::move(*keys));
  });
  auto [link, pidfd] = fork.copy->take();
  lease_.worker = lease_.capsule->adopt_worker(pool_.next_worker_id(), std::move(link), std::move(pidfd), pid,
                                               std::move(fork.worker_layers));
  hold_worker();
  pool_.worker_moved_in(lease_);
  return_timer_.after(kReturnPatience, [this] { fail({Errc::kUnavailable, "the fork did not begin in time"}); });
}

void Session::begin_life(std::string id, int64_t created_wall_ms) {
  start_.id = place_->name = std::move(id);
  start_.created_wall_ms = created_wall_ms;
  last_used_ = now();
  pool_.standby_taken(lease_);
}

void Session::take_place_of(Session& other) {
  start_.id = other.start_.id;
  std::swap(place_, other.place_);
  if (tap_) tap_->set_session(id());
  last_used_ = now();
}

}  // namespace capsule
