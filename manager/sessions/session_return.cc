// How a session goes back: after the loss of its worker, by undo, to a checkpoint. And how it prepares for that.
#include "manager/observe/log.h"
#include "manager/sessions/session.h"
#include "manager/sessions/session_registry.h"
#include "protocol/limits.h"

namespace capsule {

// ---- snapshots and checkpoints ---------------------------------------------------------------------------------

bool Session::takes_snapshot_before(RollbackMode mode, uint64_t trace_key) {
  if (snapshots_.tree().is_covered() || !snapshots_.schedule().is_due_before_run(mode)) return false;
  take_snapshot({}, [trace = trace_, trace_key](const Status& taken) {
    if (taken) trace->add(trace_key, {TraceEvent::kSnapshot, now(), {}});
  });
  return true;
}

// The timer runs on through runs that come sooner, and looks again: setting it anew for each would cost each of them.
void Session::watch_idleness() {
  const bool has_use = !snapshots_.tree().is_covered() && snapshots_.schedule().due_when_idle() != TimePoint::max();
  if (!has_use || std::exchange(is_watching_, true)) return;
  idle_timer_.at(std::max(snapshots_.schedule().due_when_idle(), now() + kIdleLook), [this] {
    is_watching_ = false;
    if (!is_free()) return;  // the end of what keeps it begins the watch again
    const bool is_due = !snapshots_.tree().is_covered() && snapshots_.schedule().due_when_idle() <= now();
    if (!is_due) return watch_idleness();
    take_snapshot({}, [trace = trace_, run = traced_run_](const Status& taken) {
      if (taken && run != 0) trace->add(run, {TraceEvent::kSnapshot, now(), "idle"});
    });
  });
}

// Meanwhile no run begins. A worker that does not answer is lost.
void Session::take_snapshot(std::string checkpoint, Answer answer) {
  events_.on_broken();
  snapshots_.take(lease_, std::move(checkpoint), [self = weak_from_this(), answer](Result<SnapshotId> taken) {
    const auto session = self.lock();
    if (!session || session->state_ == SessionState::kClosed) {
      return answer(failure(Errc::kClosed, "the session was closed"));
    }
    answer(taken ? Status() : Status(tl::unexpected<Error>(taken.error())));
    if (!taken && taken.error().code == Errc::kTimedOut) {
      return session->lose_between_runs(label::Recycle::kLost, kNoCopyInTime);
    }
    session->act_when_free({});
    if (session->is_free()) session->events_.on_ready();
  });
}

// Snapshots are charged to their capsule: they go before a program is told that memory is out. What each of them has
// for itself is what the worker has changed since.
SpareMemory Session::spare_memory() {
  return {[self = weak_from_this()] {
            const auto session = self.lock();
            if (!session) return false;
            const StateTree& tree = session->snapshots_.tree();
            return tree.oldest_unnamed() && tree.oldest_unnamed() != tree.fallback();
          },
          [self = weak_from_this()](uint64_t used_bytes) {
            const auto session = self.lock();
            if (!session || !session->snapshots_.drop_oldest()) return false;
            log_about(session->works_for(), LogLevel::kInfo, "a snapshot makes room in memory",
                      {{"used_bytes", std::to_string(used_bytes)}});
            return true;
          }};
}

void Session::when_free(std::function<void(Status)> act) {
  if (is_free()) return act({});
  if (state_ == SessionState::kBusy) {
    return act(failure(Errc::kConflict, "session '" + id() + "' is busy: wait for its run to end, or cancel it"));
  }
  if (when_free_.size() >= kWaitingActs) {
    return act(failure(Errc::kUnavailable, "too many requests wait for session '" + id() + "'"));
  }
  when_free_.push_back(std::move(act));
}

// One after the other: each may keep the session for a while.
void Session::act_when_free(Status status) {
  while (!when_free_.empty() && (!status || is_free())) {
    const auto act = std::move(when_free_.front());
    when_free_.pop_front();
    act(status);
  }
}

void Session::checkpoint(const std::string& name, Answer answer) {
  when_free([this, name, answer](const Status& free) { free ? take_checkpoint(name, answer) : answer(free); });
}

void Session::take_checkpoint(const std::string& name, const Answer& answer) {
  if (!is_valid_name(name))
    return answer(
        failure(Errc::kInvalid, "a checkpoint's name is 1 to 64 of a-z, 0-9 and '-', and does not begin with '-'"));
  if (name.rfind("snapshot-", 0) == 0) {
    return answer(failure(Errc::kInvalid, "names that begin with snapshot- are those of the session's own snapshots"));
  }
  if (snapshots_.tree().find_checkpoint(name)) {
    return answer(failure(Errc::kConflict, "the session has a checkpoint '" + name + "' already; remove it first"));
  }
  if (snapshots_.tree().checkpoints() >= start_.snapshots.checkpoints) {
    return answer(failure(Errc::kUnavailable, "the session has " + std::to_string(start_.snapshots.checkpoints) +
                                                  " checkpoints (sessions.checkpoints); remove one first"));
  }
  take_snapshot(name, answer);
}

Status Session::forget_checkpoint(const std::string& name) {
  const auto found = snapshots_.tree().find_checkpoint(name);
  if (!found) return failure(Errc::kNotFound, "session '" + id() + "' has no checkpoint '" + name + "'");
  if (returning_ && returning_->target == found) {
    return failure(Errc::kConflict, "session '" + id() + "' is going back to checkpoint '" + name + "': try again");
  }
  snapshots_.forget(*found);
  return {};
}

// ---- going back ------------------------------------------------------------------------------------------------

void Session::undo(uint64_t runs, WentBack answer) {
  when_free([this, runs, answer](const Status& free) {
    if (!free) return answer(tl::unexpected<Error>(free.error()));
    const auto target = snapshots_.tree().undo(runs);
    if (!target) return answer(tl::unexpected<Error>(target.error()));
    go_to(*target, answer);
  });
}

void Session::restore(const std::string& name, WentBack answer) {
  when_free([this, name, answer](const Status& free) {
    if (!free) return answer(tl::unexpected<Error>(free.error()));
    const auto found = snapshots_.tree().find_checkpoint(name);
    if (!found) {
      return answer(failure(Errc::kNotFound, "session '" + id() + "' has no checkpoint '" + name +
                                                 "'; `capsule session ls-checkpoints` lists them. Of a durable one "
                                                 "`capsule session new --from` makes a session"));
    }
    go_to(found, answer);
  });
}

void Session::go_to(std::optional<SnapshotId> target, WentBack answer) {
  if (!apply(SessionEvent::kWorkerLost)) return answer(failure(Errc::kConflict, "the session cannot go back now"));
  last_used_ = now();
  lost_why_ = label::Recycle::kSession;
  return_answers_.push_back(std::move(answer));
  events_.on_broken();
  returning_ = Returning{last_used_, {}, Aim::kExact, target, false, false};
  start_next_worker();
}

void Session::lose_worker(label::Recycle why) {
  if (!apply(SessionEvent::kWorkerLost)) return;
  lost_why_ = why;
  unsaved_why_ = snapshots_.refused();
  worker_is_gone();
  events_.on_broken();
  if (!returning_ && state_ == SessionState::kRolledBack)
    returning_ = Returning{now(), {}, Aim::kNearest, {}, false, false};
  start_next_worker();
}

void Session::lose_between_runs(label::Recycle why, const std::string& how) {
  if (is_filling_) return fail({Errc::kUnavailable, "the checkpoint's worker " + how + " while it was restored"});
  if (is_moving_in_) return fail({Errc::kUnavailable, "the fork's worker " + how + " before it was ready"});
  lost_before_ = how;
  log_about(works_for(), LogLevel::kWarning, "session lost its worker between runs", {{"how", how}});
  if (returning_) returning_->aim = Aim::kNearest;  // what was to be gone back to is lost as well
  lose_worker(why);
}

void Session::retire_worker() {
  if (!lease_.worker) return;
  lease_.worker->kill();
  forget_previous();
  previous_ = std::exchange(lease_.worker, nullptr);
  previous_->set_holder(&last_words_);
}

void Session::forget_previous() {
  if (previous_) std::exchange(previous_, nullptr)->set_holder(nullptr);
}

// In the capsule it has: what the dead worker started is swept, and a snapshot wakes, or a worker is forked.
void Session::start_next_worker() {
  retire_worker();
  return_timer_.cancel();
  snapshots_.give_up_return();
  if (!lease_.capsule || lease_.capsule->is_gone()) return take_another_capsule();
  if (!returning_) return start_fresh_worker();
  if (returning_->aim == Aim::kNearest) returning_->target = snapshots_.tree().fallback();
  note_loss(returning_->target);
  returning_->said_hello = returning_->swept = false;
  returning_->target ? go_back(*returning_->target) : start_fresh_worker();
}

// Older ones come before those that an earlier attempt has lost already.
void Session::note_loss(std::optional<SnapshotId> target) {
  Rollback& story = returning_->story;
  std::vector<std::string> lost = snapshots_.tree().runs_since(target, limits::kLostRuns).ids;
  lost.insert(lost.end(), story.lost_runs.begin(), story.lost_runs.end());
  if (lost.size() > limits::kLostRuns)
    lost.erase(lost.begin(), lost.end() - static_cast<std::ptrdiff_t>(limits::kLostRuns));
  story.lost_runs = std::move(lost);
  story.snapshot = snapshots_.name_of(target);
  const ParkedCopy* copy = target ? snapshots_.find(*target) : nullptr;
  story.not_captured = copy != nullptr ? copy->not_captured() : std::vector<std::string>();
}

void Session::go_back(SnapshotId to) {
  Snapshots::Return events;
  events.on_worker = [self = weak_from_this(), to](Result<std::shared_ptr<Worker>> worker) {
    const auto session = self.lock();
    if (!session || session->state_ == SessionState::kClosed) return;
    if (!worker) return session->return_failed(to, worker.error().message);
    if (!session->returning_ || session->returning_->target != to) return (*worker)->kill();  // given up meanwhile
    session->lease_.worker = std::move(*worker);
    session->hold_worker();
    session->pool_.worker_replaced(session->lease_, session->lost_why_);
  };
  events.on_swept = [self = weak_from_this(), to](const Status& swept) {
    const auto session = self.lock();
    if (!session || session->state_ == SessionState::kClosed) return;
    if (!session->returning_ || session->returning_->target != to) return;  // given up meanwhile
    if (!swept) return session->take_another_capsule();                     // a keeper whose link has ended is no use
    session->returning_->swept = true;
    if (session->returning_->said_hello) session->ready();
  };
  return_timer_.after(kReturnPatience, [this, to] { return_failed(to, "it did not wake up in time"); });
  snapshots_.go_back(Lease{lease_.capsule, previous_, false}, to, pool_.next_worker_id(), std::move(events));
}

void Session::return_failed(SnapshotId to, const std::string& why) {
  if (!returning_ || returning_->target != to) return;  // given up meanwhile
  log_about(works_for(), LogLevel::kWarning, "a session cannot go back to its snapshot",
            {{"snapshot", snapshots_.name_of(to)}, {"why", why}});
  lost_before_ = "could not go back to " + snapshots_.name_of(to) + " (" + why + ")";
  returning_->aim = Aim::kNearest;
  returning_->target.reset();
  snapshots_.forget(to);
  start_next_worker();
}

// As where the program's processes have left no room for the worker's thread: an older snapshot has no more, another
// capsule has.
void Session::worker_cannot_begin(const std::string& why) {
  if (!returning_) return fail({Errc::kUnavailable, why});
  if (returning_->target) return return_failed(*returning_->target, why);
  log_about(works_for(), LogLevel::kWarning, "a session's worker cannot begin in its capsule", {{"why", why}});
  take_another_capsule();
}

void Session::start_fresh_worker() {
  snapshots_.began_anew();
  start_.history.reset();
  lease_.capsule->sweep(0, [self = weak_from_this()](Status swept) {
    const auto session = self.lock();
    if (!session || session->state_ == SessionState::kClosed) return;
    if (!swept) return session->take_another_capsule();
    session->forget_previous();
    session->lease_.capsule->start_worker(session->pool_.next_worker_id(), CapsuleProcess::Demand::kStock,
                                          [self](Result<std::shared_ptr<Worker>> started) {
                                            if (const auto still = self.lock())
                                              still->worker_started(std::move(started));
                                          });
  });
}

void Session::worker_started(Result<std::shared_ptr<Worker>> started) {
  if (state_ == SessionState::kClosed) return;
  if (!started) {
    log_about(works_for(), LogLevel::kWarning, "session cannot fork a worker in its capsule",
              {{"error", started.error().message}});
    return take_another_capsule();
  }
  lease_.worker = std::move(*started);
  hold_worker();
  pool_.worker_replaced(lease_, lost_why_);
}

// With the capsule all its snapshots are gone.
void Session::take_another_capsule() {
  if (returning_) {
    returning_->aim = Aim::kNearest;
    returning_->target.reset();
    note_loss(std::nullopt);
  }
  return_timer_.cancel();
  forget_previous();
  snapshots_.clear(Origin::kFresh);
  start_.history.reset();
  if (lease_.capsule) {
    lease_.capsule->destroy();
    pool_.release(std::exchange(lease_, {}), lost_why_);
  }
  acquire_capsule();
}

// It is ready again.
void Session::came_back() {
  return_timer_.cancel();
  forget_previous();
  if (!returning_) return;
  Rollback story = std::move(returning_->story);
  const bool as_asked = returning_->aim == Aim::kExact || return_answers_.empty();
  const auto took = now() - returning_->since;
  story.took_us = static_cast<uint64_t>(to_microseconds(took));
  if (traced_run_ != 0) {
    trace_->add(traced_run_, {TraceEvent::kRolledBack, now(), story.snapshot.empty() ? "fresh" : "snapshot"});
  }
  metrics_.rolled_back(story.snapshot.empty() ? label::Rollback::kFresh : label::Rollback::kSnapshot, took);
  returning_.reset();
  log_about(works_for(), LogLevel::kInfo, "session went back",
            {{"to", story.snapshot.empty() ? "a fresh namespace" : story.snapshot},
             {"lost_runs", std::to_string(story.lost_runs.size())},
             {"took_us", std::to_string(story.took_us)}});
  if (!return_answers_.empty()) {
    if (as_asked) return answer_returns(story);
    return answer_returns(
        failure(Errc::kUnavailable, "the snapshot was lost; the session went back to " +
                                        (story.snapshot.empty() ? "a fresh namespace" : story.snapshot)));
  }
  if (last_return_) {  // twice since the last verdict: what was lost before came after
    story.lost_runs.insert(story.lost_runs.end(), last_return_->lost_runs.begin(), last_return_->lost_runs.end());
  }
  last_return_ = std::move(story);
  say_how_run_ended();
}

void Session::answer_returns(const Result<Rollback>& result) {
  for (const WentBack& answer : std::exchange(return_answers_, {})) answer(result);
}

}  // namespace capsule
