#include "manager/sessions/session.h"

#include <cassert>
#include <csignal>

#include "manager/observe/log.h"
#include "protocol/limits.h"

namespace capsule {
namespace {
constexpr size_t kRunsNamed = 8;  // in what a crash would cost: each verdict has it, and the number says the rest

// Of what happened between two runs, for the verdict of the second.
std::string describe_loss(const std::string& how, const Rollback& went_back) {
  return "before this run the session's worker " + how +
         (went_back.snapshot.empty() ? "; its variables were lost"
                                     : "; the session went back to " + went_back.snapshot);
}

std::string state_after(const Rollback& went_back) { return went_back.snapshot.empty() ? "fresh" : "rolled_back"; }
}  // namespace

Session::Session(Loop& loop, Pool& pool, CheckpointService& checkpoints, Start start, Metrics& metrics)
    : loop_(loop),
      pool_(pool),
      start_(std::move(start)),
      metrics_(metrics),
      snapshots_(loop, metrics, *this, Origin::kFresh, start_.rollback, start_.snapshots),
      idle_timer_(loop),
      return_timer_(loop),
      verdict_timer_(loop),
      inspect_timer_(loop),
      last_used_(now()),
      place_(std::make_shared<Place>(Place{start_.id, start_.parent})),
      checkpoints_(checkpoints) {}

Session::~Session() = default;

void Session::begin(Events events) {
  events_ = std::move(events);
  start_.fork ? move_in() : acquire_capsule();
}

TimePoint Session::closes_at() const {
  if (state_ == SessionState::kBusy || start_.idle_timeout == Duration::zero()) return TimePoint::max();
  return last_used_ + start_.idle_timeout;
}

bool Session::apply(SessionEvent event) {
  const auto next = transition(state_, event);
  if (next) state_ = *next;
  if (next && event != SessionEvent::kWorkerReady) ++state_number_;
  return next.has_value();
}

void Session::acquire_capsule() {
  const TimePoint deadline = now() + pool_.profile().settings.pool.acquire_timeout;
  ticket_ = pool_.acquire(Pool::Purpose::kSession, deadline, [self = weak_from_this()](Result<Lease> lease) {
    const auto session = self.lock();
    if (!session) return;  // closed meanwhile; close() cancelled the ticket, so nothing is leased
    if (!lease) return session->fail(lease.error());
    session->adopt(std::move(*lease));
  });
}

void Session::adopt(Lease lease) {
  lease_ = std::move(lease);
  ready();
}

void Session::ready() {
  hold_worker();
  if (!holds_limits()) return;
  if (start_.from) return fill_namespace();
  if (!apply(SessionEvent::kWorkerReady)) return;
  is_moving_in_ = false;
  came_back();
  answer_resets({});
  act_when_free({});
  if (!is_free()) return;
  events_.on_ready();
  watch_idleness();
}

Lease Session::begin_run(const Run& run) {
  traced_run_ = run.trace.key;
  latest_run_ = run.id;
  latest_request_ = run.request_id;
  code_ = run.request.code.value;
  [[maybe_unused]] const bool allowed = is_free() && apply(SessionEvent::kRunStarted);
  assert(allowed);
  ++runs_;
  lease_.worker->apply(WorkerEvent::kLeased);
  return lease_;
}

void Session::end_run(RunDriver& driver, const Ending& ending, Ended done) {
  last_used_ = now();
  keep_old_pipes(driver);
  if (!ending.worker_survives) {
    const bool killed = ending.rung == Rung::kKill;
    after_return_ = std::move(done);
    close_oldest_pipes();
    verdict_timer_.after(kReturnPatience, [this] { say_how_run_ended(); });
    return lose_worker(killed                                   ? label::Recycle::kKilled
                       : ending.verdict == Verdict::kWorkerLost ? label::Recycle::kLost
                                                                : label::Recycle::kCrashed);
  }
  loosen();
  snapshots_.run_kept(driver.run().id, driver.run().lasted().value_or(Duration::zero()), last_used_);
  remember_code(driver.run().id);
  lease_.worker->apply(WorkerEvent::kReturned);
  AfterRun after = describe_return("kept");
  const auto due = session_recycle_due(lease_.worker->started_at(), lease_.worker->marked().rss_bytes,
                                       pool_.profile().settings.pool, last_used_);
  if (due) {
    log_about(works_for(), LogLevel::kInfo, "session worker is recycled", {{"reason", std::string(to_string(*due))}});
    snapshots_.clear(Origin::kFresh);
    lose_worker(*due == SessionRecycle::kAge ? label::Recycle::kAge : label::Recycle::kMemory);
    after.state = "fresh";
    after.detail += (after.detail.empty() ? "" : "; ") +
                    ("the worker was recycled after this run: " + std::string(to_string(*due)));
    after.fallback = fallback();
    done(std::move(after));
    return close_oldest_pipes();
  }
  apply(SessionEvent::kRunEnded);
  lease_.worker->set_holder(this);
  done(std::move(after));
  close_oldest_pipes();
  watch_idleness();
}

// What went on since the verdict before.
Session::AfterRun Session::describe_return(std::string otherwise) {
  AfterRun after;
  after.state = std::move(otherwise);
  after.rollback = std::exchange(last_return_, std::nullopt);
  const std::string how = std::exchange(lost_before_, {}), unsaved = std::exchange(unsaved_why_, {});
  if (after.rollback) after.state = state_after(*after.rollback);
  if (after.rollback && !how.empty()) after.detail = describe_loss(how, *after.rollback);
  if (after.rollback && after.rollback->snapshot.empty() && !unsaved.empty()) {
    after.detail += (after.detail.empty() ? "" : "; ") + ("there was no snapshot to go back to: " + unsaved);
  }
  after.fallback = fallback();
  return after;
}

void Session::say_how_run_ended() {
  if (!after_return_) return;
  verdict_timer_.cancel();
  AfterRun after = describe_return(state_ == SessionState::kClosed ? "gone" : "fresh");
  if (!after.rollback && state_ != SessionState::kClosed) after.detail = "the session is not ready yet";
  std::exchange(after_return_, nullptr)(std::move(after));
}

Fallback Session::fallback() const {
  const auto to = snapshots_.tree().fallback();
  StateTree::Runs runs = snapshots_.tree().runs_since(to, kRunsNamed);
  return {snapshots_.name_of(to), std::move(runs.ids), runs.count, snapshots_.refused()};
}

void Session::reset(Answer answer) {
  if (is_filling_) return answer(failure(Errc::kConflict, "session '" + id() + "' is not there yet"));
  if (!apply(SessionEvent::kReset)) {
    return answer(failure(Errc::kConflict, "session '" + id() + "' is " + std::string(to_string(state_)) +
                                               ": wait for its run to end, or cancel it"));
  }
  reset_answers_.push_back(std::move(answer));
  say_how_run_ended();
  lost_before_.clear();
  last_return_.reset();
  last_used_ = now();
  const bool was_going_back = returning_ && returning_->target;
  returning_.reset();
  worker_is_gone();
  snapshots_.clear(Origin::kFresh);
  answer_returns(failure(Errc::kConflict, "the session was reset before it had gone back"));
  if (!lease_.worker && !was_going_back) return;  // a fresh one is starting anyway
  lost_why_ = label::Recycle::kSession;
  start_next_worker();
}

void Session::close() {
  const bool busy = state_ == SessionState::kBusy;
  place_->is_closed = true;
  apply(SessionEvent::kClosed);
  if (ticket_ != 0) pool_.cancel(ticket_);
  forget_previous();
  const Status closed = failure(Errc::kClosed, "session '" + id() + "' was closed");
  worker_is_gone();
  if (tap_) std::exchange(tap_, nullptr)->end(closed.error());
  end_forking(closed);
  for (const auto& save : std::exchange(saves_, {})) save->give_up(closed.error());
  load_.reset();
  answer_resets(closed);
  act_when_free(closed);
  answer_returns(tl::unexpected<Error>(closed.error()));
  say_how_run_ended();
  snapshots_.clear(Origin::kFresh);
  old_pipes_.clear();
  if (busy) lease_ = {};  // its run is being ended; the dispatcher gives the lease back after that
  if (lease_.capsule || lease_.worker) pool_.release(std::exchange(lease_, {}), label::Recycle::kSession);
}

void Session::worker_said(Message message) {
  if (const auto* hello = std::get_if<Hello>(&message)) {
    if (!hello->failure.empty()) return worker_cannot_begin(hello->failure);
    lease_.worker->apply(WorkerEvent::kReady);
    lease_.worker->mark();
    if (!returning_ || !returning_->target) return ready();
    returning_->said_hello = true;
    if (returning_->swept) ready();
    return;
  }
  if (const auto* display = std::get_if<Display>(&message)) {  // from a thread that a run left behind
    lease_.worker->send(Ack{display->id, {}});
    return;
  }
  if (const auto* report = std::get_if<Report>(&message); report != nullptr && is_filling_) {
    return namespace_filled(*report);
  }
  if (const auto* report = std::get_if<Report>(&message); report != nullptr && told_namespace(*report)) return;
  if (const auto* branched = std::get_if<Branched>(&message); branched != nullptr && snapshots_.heard(*branched))
    return;
  // Asked while its run went on, which then ended. A worker that dies of a fault tells it of no run.
  if (const auto* stack = std::get_if<Stack>(&message); stack != nullptr && !stack->run_id.empty()) return;
  lose_between_runs(label::Recycle::kLost, "spoke out of turn");
}

namespace {
std::string describe_end(const Exited& report) {
  return "ended: " + WaitStatus(static_cast<int>(report.status)).describe();
}
}  // namespace

void Session::worker_died(const Exited& report) { lose_between_runs(label::Recycle::kCrashed, describe_end(report)); }

// A worker that we have given up is killed: that is not why. Whether one that closed its link was killed before that
// nobody can tell.
void Session::LastWords::worker_died(const Exited& report) {
  if (how_.empty()) return;
  const bool is_killed = WaitStatus(static_cast<int>(report.status)).signal() == SIGKILL;
  if (!is_killed) how_ = describe_end(report);
  if (is_killed && how_ == kClosedLink) how_ += std::string(", and ") + describe_end(report);
}

void Session::worker_link_closed() { lose_between_runs(label::Recycle::kLost, kClosedLink); }

void Session::worker_lost(LostWhy) { lose_between_runs(label::Recycle::kLost, "was lost"); }

void Session::fail(const Error& why) {
  if (std::exchange(filling_since_, TimePoint{}) != TimePoint{}) {
    metrics_.checkpointed(label::CheckpointWork::kRestore, label::CheckpointOutcome::kFailed, {}, 0);
  }
  answer_resets(tl::unexpected<Error>(why));
  act_when_free(tl::unexpected<Error>(why));
  answer_returns(tl::unexpected<Error>(why));
  events_.on_failed(why);
}

void Session::answer_resets(const Status& status) {
  for (const Answer& answer : std::exchange(reset_answers_, {})) answer(status);
}

// What comes now is late: counted, kept for `info`, and passed on as such while the client that ran it is still there.
void Session::keep_old_pipes(RunDriver& driver) {
  auto [out, error] = driver.take_pipes();
  const OutputCount written = driver.output_count();
  for (auto* pipe : {&out, &error}) {
    if (!*pipe || (*pipe)->is_at_end()) continue;
    Output meta;
    meta.run_id = driver.run().id;
    meta.offset = pipe == &out ? written.stdout_bytes : written.stderr_bytes;
    meta.late = true;
    (*pipe)->set_sink([this, meta, listener = driver.run().listener](Stream stream, std::string_view chunk) mutable {
      meta.stream = static_cast<uint32_t>(stream);
      take_late(chunk);
      if (const auto client = listener.lock(); client && client->may_read_output()) client->send_output(meta, chunk);
      meta.offset += chunk.size();
    });
    (*pipe)->linger();
    old_pipes_.push_back(std::move(*pipe));
  }
}

// Once the client has its verdict: closing costs system calls that nobody has to wait for.
void Session::close_oldest_pipes() {
  std::erase_if(old_pipes_, [](const auto& pipe) { return pipe->is_at_end(); });
  while (old_pipes_.size() > 2 * kOldPipes) old_pipes_.pop_front();
}

void Session::take_late(std::string_view chunk) {
  late_bytes_ += chunk.size();
  metrics_.output_late(chunk.size());
  late_tail_.append(chunk);
  if (late_tail_.size() > kLateTailBytes) late_tail_.erase(0, late_tail_.size() - kLateTailBytes);
}

}  // namespace capsule
