#include "manager/sessions/session.h"

#include <cassert>

#include "manager/observe/log.h"

namespace capsule {
namespace {
std::string describe_loss(const std::string& how) {
  return "before this run the session's worker " + how + "; its variables were lost";
}
}  // namespace

Session::Session(Pool& pool, Start start, Metrics& metrics)
    : pool_(pool), start_(std::move(start)), metrics_(metrics), last_used_(now()) {}

Session::~Session() = default;

void Session::begin(Events events) {
  events_ = std::move(events);
  acquire_capsule();
}

TimePoint Session::closes_at() const {
  if (state_ == SessionState::kBusy || start_.idle_timeout == Duration::zero()) return TimePoint::max();
  return last_used_ + start_.idle_timeout;
}

bool Session::apply(SessionEvent event) {
  const auto next = transition(state_, event);
  if (next) state_ = *next;
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
  lease_.worker->set_holder(this);
  if (!apply(SessionEvent::kWorkerReady)) return;
  answer_resets({});
  events_.on_ready();
}

Lease Session::begin_run() {
  [[maybe_unused]] const bool allowed = apply(SessionEvent::kRunStarted);
  assert(allowed);
  ++runs_;
  lease_.worker->apply(WorkerEvent::kLeased);
  return lease_;
}

Session::AfterRun Session::end_run(RunDriver& driver, const Ending& ending) {
  last_used_ = now();
  const std::string lost_before = std::exchange(lost_before_, {});
  keep_old_pipes(driver);
  if (!ending.worker_survives) {
    const bool killed = ending.rung == Rung::kKill;
    lose_worker(killed                                   ? label::Recycle::kKilled
                : ending.verdict == Verdict::kWorkerLost ? label::Recycle::kLost
                                                         : label::Recycle::kCrashed);
    return {"fresh", lost_before};
  }
  lease_.worker->apply(WorkerEvent::kReturned);
  const auto due = session_recycle_due(lease_.worker->started_at(), lease_.worker->marked().rss_bytes,
                                       pool_.profile().settings.pool, last_used_);
  if (due) {
    log_info("session worker is recycled", {{"session", id()}, {"reason", std::string(to_string(*due))}});
    lose_worker(*due == SessionRecycle::kAge ? label::Recycle::kAge : label::Recycle::kMemory);
    return {"fresh", "the worker was recycled after this run: " + std::string(to_string(*due))};
  }
  apply(SessionEvent::kRunEnded);
  lease_.worker->set_holder(this);
  return {lost_before.empty() ? "kept" : "fresh", lost_before};
}

void Session::reset(Answer answer) {
  if (!apply(SessionEvent::kReset)) {
    return answer(failure(Errc::kConflict, "session '" + id() + "' is " + std::string(to_string(state_)) +
                                               ": wait for its run to end, or cancel it"));
  }
  reset_answers_.push_back(std::move(answer));
  lost_before_.clear();
  last_used_ = now();
  if (!lease_.worker) return;  // it is starting anyway
  lost_why_ = label::Recycle::kSession;
  start_next_worker();
}

void Session::close() {
  const bool busy = state_ == SessionState::kBusy;
  apply(SessionEvent::kClosed);
  if (ticket_ != 0) pool_.cancel(ticket_);
  forget_previous();
  answer_resets(failure(Errc::kClosed, "session '" + id() + "' was closed"));
  old_pipes_.clear();
  if (busy) lease_ = {};  // its run is being ended; the dispatcher gives the lease back after that
  if (lease_.capsule) pool_.release(std::exchange(lease_, {}), label::Recycle::kSession);
}

void Session::lose_worker(label::Recycle why) {
  if (!apply(SessionEvent::kWorkerLost)) return;
  lost_why_ = why;
  events_.on_broken();
  start_next_worker();
}

// In the capsule it has: sweep first, so that nothing of the dead run is left, then fork.
void Session::start_next_worker() {
  if (lease_.worker) {
    lease_.worker->kill();
    previous_ = std::exchange(lease_.worker, nullptr);
    previous_->set_holder(this);  // how it ended may still be on its way through the keeper
  }
  if (!lease_.capsule || lease_.capsule->is_gone()) return take_another_capsule();
  lease_.capsule->sweep([self = weak_from_this()](Status swept) {
    const auto session = self.lock();
    if (!session || session->state_ == SessionState::kClosed) return;
    // It cannot be asked, and need not be reaped yet: a keeper whose link has ended is no use, alive or not.
    if (!swept) return session->take_another_capsule();
    session->forget_previous();
    session->lease_.capsule->start_worker(session->pool_.next_worker_id(), CapsuleProcess::Demand::kStock,
                                          [self](Result<std::shared_ptr<Worker>> started) {
                                            if (const auto still = self.lock())
                                              still->worker_started(std::move(started));
                                          });
  });
}

void Session::take_another_capsule() {
  forget_previous();
  if (lease_.capsule) {
    lease_.capsule->destroy();
    pool_.release(std::exchange(lease_, {}), lost_why_);
  }
  acquire_capsule();
}

void Session::worker_started(Result<std::shared_ptr<Worker>> started) {
  if (state_ == SessionState::kClosed) return;
  if (!started) {
    log_warning("session cannot fork a worker in its capsule", {{"session", id()}, {"error", started.error().message}});
    return take_another_capsule();
  }
  lease_.worker = std::move(*started);
  lease_.worker->set_holder(this);
  pool_.worker_replaced(lease_, lost_why_);
}

void Session::worker_said(Message message) {
  if (previous_) return;
  if (const auto* hello = std::get_if<Hello>(&message)) {
    if (!hello->failure.empty()) return fail({Errc::kUnavailable, hello->failure});
    lease_.worker->apply(WorkerEvent::kReady);
    lease_.worker->mark();
    return ready();
  }
  if (const auto* display = std::get_if<Display>(&message)) {  // from a thread that a run left behind
    lease_.worker->send(Ack{display->id, {}});
    return;
  }
  lose_between_runs(label::Recycle::kLost, "spoke out of turn");
}

void Session::worker_died(const Exited& report) {
  const std::string how = "ended: " + WaitStatus(static_cast<int>(report.status)).describe();
  if (!previous_) return lose_between_runs(label::Recycle::kCrashed, how);
  if (!lost_before_.empty()) lost_before_ = describe_loss(how);
}

void Session::worker_link_closed() {
  if (!previous_) lose_between_runs(label::Recycle::kLost, "closed its link");
}

void Session::worker_lost(LostWhy) {
  if (!previous_) lose_between_runs(label::Recycle::kLost, "was lost");
}

void Session::forget_previous() {
  if (previous_) std::exchange(previous_, nullptr)->set_holder(nullptr);
}

void Session::lose_between_runs(label::Recycle why, const std::string& how) {
  lost_before_ = describe_loss(how);
  log_warning("session lost its worker between runs", {{"session", id()}, {"how", how}});
  lose_worker(why);
}

void Session::fail(const Error& why) {
  answer_resets(tl::unexpected<Error>(why));
  events_.on_failed(why);
}

void Session::answer_resets(const Status& status) {
  for (const Answer& answer : std::exchange(reset_answers_, {})) answer(status);
}

// What comes now is late: counted, kept for `info`, and passed on as such while the client that ran it is still there.
void Session::keep_old_pipes(RunDriver& driver) {
  auto [out, error] = driver.take_pipes();
  const OutputCount written = driver.output_count();
  std::erase_if(old_pipes_, [](const auto& pipe) { return pipe->is_at_end(); });
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
  while (old_pipes_.size() > 2 * kOldPipes) old_pipes_.pop_front();
}

void Session::take_late(std::string_view chunk) {
  late_bytes_ += chunk.size();
  metrics_.output_late(chunk.size());
  late_tail_.append(chunk);
  if (late_tail_.size() > kLateTailBytes) late_tail_.erase(0, late_tail_.size() - kLateTailBytes);
}

}  // namespace capsule
