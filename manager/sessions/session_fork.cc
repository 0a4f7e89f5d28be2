// Forks of a live session: what the original does for them, and how one begins.
#include "manager/observe/log.h"
#include "manager/sessions/session.h"

namespace capsule {

// ---- the original ----------------------------------------------------------------------------------------------

void Session::fork(size_t count, Pool::Nest nest, Forked answer) {
  when_free([this, count, nest, answer](const Status& free) {
    if (!free) return answer(tl::unexpected<Error>(free.error()));
    if (nest == Pool::Nest::kSession) {
      if (const Status room = pool_.admit_forks(count); !room) return answer(tl::unexpected<Error>(room.error()));
      last_used_ = now();
    }
    events_.on_broken();
    forking_ = std::make_unique<Forking>(Forking{count, nest, answer});
    make_next_fork();
  });
}

void Session::make_next_fork() {
  if (forking_->made.size() == forking_->count) return end_forking({});
  pool_.make_nested(lease_, forking_->nest, [self = shared_from_this()](Result<std::shared_ptr<CapsuleProcess>> made) {
    if (!self->forking_) {
      if (made) self->pool_.release(Lease{*made, nullptr}, label::Recycle::kSession);
      return;
    }
    if (!made) return self->end_forking(tl::unexpected<Error>(made.error()));
    if (self->state_ != SessionState::kReady || !self->lease_.worker) {
      self->pool_.release(Lease{*made, nullptr}, label::Recycle::kSession);
      return self->end_forking(failure(Errc::kUnavailable, "the session lost its worker while it was forked"));
    }
    const std::shared_ptr<CapsuleProcess> capsule = *made;
    self->snapshots_.take_into(self->lease_, capsule, [self, capsule](Result<std::unique_ptr<ParkedCopy>> copy) {
      self->forked(std::move(copy), capsule);
    });
  });
}

void Session::forked(Result<std::unique_ptr<ParkedCopy>> copy, const std::shared_ptr<CapsuleProcess>& capsule) {
  if (!copy || !forking_) {
    pool_.release(Lease{capsule, nullptr}, label::Recycle::kSession);
    if (!forking_) return;
    const Error why = copy.error();
    end_forking(tl::unexpected<Error>(why));
    if (why.code == Errc::kTimedOut) lose_between_runs(label::Recycle::kLost, "did not make a copy of itself in time");
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
  Start start{std::move(id),   start_.uid,       start_.idle_timeout,
              created_wall_ms, start_.limits,    start_.secrets,
              start_.rollback, start_.snapshots, {},
              start_.id};
  start.fork = std::move(copy);
  return start;
}

// ---- the copy --------------------------------------------------------------------------------------------------

// Its keeper learns that what moved in is a worker before that runs anything.
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
  lease_.capsule->sweep(pid, [](const Status&) {});
  auto [link, pidfd] = fork.copy->take();
  lease_.worker = lease_.capsule->adopt_worker(pool_.next_worker_id(), std::move(link), std::move(pidfd), pid,
                                               std::move(fork.worker_layers));
  hold_worker();
  lease_.worker->send(Wake{lease_.worker->name(), true}, std::move(*doors));
  pool_.worker_moved_in(lease_);
  return_timer_.after(kReturnPatience, [this] { fail({Errc::kUnavailable, "the fork did not begin in time"}); });
}

void Session::begin_life(std::string id, std::string parent, int64_t created_wall_ms) {
  start_.id = std::move(id);
  start_.parent = std::move(parent);
  start_.created_wall_ms = created_wall_ms;
  last_used_ = now();
  pool_.standby_taken(lease_);
}

void Session::take_place_of(const Session& other) {
  start_.id = other.start_.id;
  start_.parent = other.start_.parent;
  if (tap_) tap_->set_session(id());
  last_used_ = now();
}

}  // namespace capsule
