#include "manager/schedule/dispatcher.h"

#include <algorithm>
#include <cassert>

#include "manager/observe/log.h"

namespace capsule {
namespace {

constexpr size_t kKeptDetailBytes = 1024;
constexpr size_t kEarlyInputs = 4096;  // `input` frames of a run that has not started yet

SchedulerLimits limits_of(const Config& config) {
  return {config.queue.capacity, config.queue.per_client, config.queue.max_running};
}

label::Recycle recycle_for(const Ending& ending) {
  if (ending.worker_survives) return label::Recycle::kUsed;
  if (ending.rung == Rung::kKill) return label::Recycle::kKilled;
  return ending.verdict == Verdict::kWorkerLost ? label::Recycle::kLost : label::Recycle::kCrashed;
}

// Deaths that cost a worker and that the program brought about.
bool is_crash(Verdict verdict) {
  return verdict == Verdict::kCrashed || verdict == Verdict::kViolation || verdict == Verdict::kOutOfMemory ||
         verdict == Verdict::kWorkerLost;
}

// Nearly no run requires any, and then nobody needs the list.
std::string layers_missed(const Run& run, const Lease& lease) {
  return run.request.require.empty() ? "" : missing_layers(run.request.require, lease.layers());
}

// Marks have literals only.
std::string_view word_of_lease(const std::string& lease) {
  return lease == "hit" ? "hit" : lease == "miss" ? "miss" : "session";
}

// Of a finished run that is still listed: what it sent and what a worker claimed can be megabytes.
void forget_large(Run& run) {
  run.files = {};
  run.upload.reset();
  run.request.code = {};
  run.request.arguments = {};
  run.outcome.error.reset();
  run.outcome.evidence.layers = {};
  run.outcome.evidence.detail.resize(std::min(run.outcome.evidence.detail.size(), kKeptDetailBytes));
}

}  // namespace

Dispatcher::Dispatcher(Loop& loop, const Config& config, Pools& pools, SessionRegistry& sessions, FileService& files,
                       RunRecords& records, Metrics& metrics, unsigned worker_user, Events events)
    : loop_(loop),
      config_(config),
      pools_(pools),
      sessions_(sessions),
      files_(files),
      records_(records),
      metrics_(metrics),
      events_(std::move(events)),
      admission_(pools, sessions, files, metrics, worker_user),
      scheduler_(limits_of(config)),
      uids_(config.client),
      expiry_timer_(loop) {
  admission_.set_queue_bytes(config.queue.code_bytes);
}

void Dispatcher::set_limits(const Config& config) {
  config_ = config;
  scheduler_.set_limits(limits_of(config));
  uids_.set_config(config.client);
  admission_.set_queue_bytes(config.queue.code_bytes);
}

// ---- in --------------------------------------------------------------------------------------------------------

Result<Accepted> Dispatcher::submit(Execute request, const Submitter& submitter, const std::string& default_profile) {
  if (draining_) {
    admission_.refused(label::Rejection::kDraining);
    return failure(Errc::kUnavailable, "the manager is shutting down");
  }
  auto admitted = admission_.admit(std::move(request), submitter, default_profile, uids_);
  if (!admitted) return tl::unexpected<Error>(admitted.error());
  const std::shared_ptr<Run> run = std::move(admitted->run);
  const auto before = scheduler_.submit(std::move(admitted->queued), run->queued_at);
  if (!before) {
    const bool client_full = scheduler_.depth() < config_.queue.capacity;
    admission_.refused(client_full ? label::Rejection::kClientFull : label::Rejection::kQueueFull);
    return tl::unexpected<Error>(before.error());
  }
  auto recording = records_.accept(*run, admitted->settings, pools_.at(run->profile)->layers());
  if (!recording) {
    admission_.refused(label::Rejection::kRecordsBehind);
    scheduler_.cancel_queued(run->id);
    return tl::unexpected<Error>(recording.error());
  }
  run->recording = std::move(*recording);
  run->trace.mark(TraceEvent::kQueued, now());
  metrics_.run_created(pools_.at(run->profile)->handle());
  uids_.queued(run->uid, run->queued_bytes);
  runs_[run->id].run = run;
  pump_soon();
  arm();
  log_debug("run accepted", {{"request_id", run->request_id},
                             {"session", run->request.session},
                             {"run_id", run->id},
                             {"trace_id", run->trace.context.trace_id}});
  return Accepted{0, run->id, *before, run->request_id, traceparent_of(run->trace.context)};
}

bool Dispatcher::may_hold_workers(uid_t uid, uint64_t more) const {
  return uids_.may_hold_workers(uid, sessions_.count_of(uid), more);
}

Status Dispatcher::cancel(const std::string& run_id, uid_t uid) {
  const auto found = runs_.find(run_id);
  if (found == runs_.end() || (found->second.run->uid != uid && uid != 0)) {
    metrics_.cancel_without_effect();
    return failure(Errc::kNotFound, "no run '" + run_id.substr(0, limits::kIdBytes) +
                                        "' is queued or running; `capsule ps` lists those that are");
  }
  if (found->second.driver) {
    found->second.driver->stop(StopReason::kClientCancel);
  } else {
    end_waiting(run_id, label::CancelReason::kCancel, "cancelled before it started");
  }
  return {};
}

Status Dispatcher::input(const Input& input, ClientKey client) {
  const auto found = runs_.find(input.run_id);
  if (found == runs_.end()) return {};  // it ended while the bytes were on their way
  if (found->second.run->client != client) return failure(Errc::kNotFound, "input for a run of another connection");
  Active& active = found->second;
  if (active.driver) return active.driver->input(input);
  if (!active.run->request.standard_input) return failure(Errc::kConflict, "this run takes no input");
  active.early_bytes += input.data.value.size();
  if (active.early_bytes > limits::kInputWindowBytes || active.early_input.size() >= kEarlyInputs) {
    return failure(Errc::kTooLarge, "more input than the credit allows");
  }
  active.early_input.push_back(input);
  return {};
}

void Dispatcher::client_gone(ClientKey client) {
  std::vector<RunId> waiting;
  for (auto& [id, active] : runs_) {
    if (active.run->client != client) continue;
    if (active.driver) {
      active.driver->stop(StopReason::kClientGone);
    } else {
      waiting.push_back(id);
    }
  }
  for (const RunId& id : waiting) {
    end_waiting(id, label::CancelReason::kClientGone, "its client went away before it started");
  }
}

void Dispatcher::client_can_take_more(ClientKey client) {
  for (auto& [id, active] : runs_) {
    if (active.run->client == client && active.driver) active.driver->listener_can_take_more();
  }
}

// ---- through ---------------------------------------------------------------------------------------------------

void Dispatcher::pump_soon() {
  if (std::exchange(pumping_soon_, true)) return;
  loop_.soon([this] {
    pumping_soon_ = false;
    pump();
  });
}

void Dispatcher::pump() {
  const auto capacity = [this](const std::string& profile) {
    const auto pool = pools_.find(profile);
    return pool != pools_.end() && pool->second->has_room();
  };
  const auto allowance = [this](uid_t uid) { return may_hold_workers(uid, 1); };
  while (const auto queued = scheduler_.next(capacity, allowance)) begin(*queued);
  metrics_.set_queue(scheduler_.depth(), config_.queue.capacity);
  metrics_.set_runs_in_progress(scheduler_.running());
}

void Dispatcher::begin(const QueuedRun& queued) {
  Active& active = runs_.at(queued.id);
  if (!queued.session.empty()) {
    Session* session = sessions_.find(queued.session);
    if (session == nullptr || !session->is_free()) {
      scheduler_.block_session(queued.session);  // it broke just now; session_ready() lets it go on
      return scheduler_.put_back(queued.id);
    }
    const auto mode = rollback_mode_from_string(active.run->request.rollback).value_or(session->rollback_mode());
    if (session->takes_snapshot_before(mode, active.run->trace.key)) return scheduler_.put_back(queued.id);
    if (const std::string missing = layers_missed(*active.run, session->lease()); !missing.empty()) {
      return refuse_sandbox(queued.id, {}, missing);
    }
    if (!has_place_for_files(*active.run, *session->lease().capsule)) return;
    active.run->lease = "session";
    active.run->trace.mark(TraceEvent::kDequeued, now());
    active.counted = Active::Counted::kSession;
    uids_.unqueued(active.run->uid, active.run->queued_bytes);
    return drive(active, session->begin_run(*active.run));
  }
  active.counted = Active::Counted::kWorker;
  uids_.unqueued(active.run->uid, active.run->queued_bytes);
  uids_.took_worker(active.run->uid);
  active.run->trace.mark(TraceEvent::kDequeued, now());
  active.pool = pools_.at(queued.profile).get();
  active.ticket = active.pool->acquire(Pool::Purpose::kRun, queued.deadline,
                                       [this, id = queued.id](Result<Lease> lease) { leased(id, std::move(lease)); });
}

void Dispatcher::leased(const RunId& id, Result<Lease> lease) {
  const auto found = runs_.find(id);
  assert(found != runs_.end());  // whoever drops a run cancels its ticket
  Active& active = found->second;
  active.ticket = 0;
  if (!lease) {
    if (lease.error().code == Errc::kTimedOut) refuse_late(*active.run, label::Rejection::kAcquireTimeout);
    const bool closing = lease.error().code == Errc::kClosed;
    // Posted: the pool may be in the middle of telling others.
    return loop_.post([this, id, closing, why = lease.error().message] {
      closing ? end_waiting(id, label::CancelReason::kShutdown, why) : drop(id, Verdict::kRejected, why);
    });
  }
  if (const std::string missing = layers_missed(*active.run, *lease); !missing.empty()) {
    return refuse_sandbox(id, std::move(*lease), missing);
  }
  if (!has_place_for_files(*active.run, *lease->capsule)) {
    return active.pool->release(std::move(*lease), label::Recycle::kUsed);
  }
  active.run->lease = lease->hit ? "hit" : "miss";
  drive(active, std::move(*lease));
}

bool Dispatcher::has_place_for_files(Run& run, const CapsuleProcess& capsule) {
  if (!run.upload && !run.request.artifacts) return true;
  if (!capsule.workspace()) {
    loop_.post([this, id = run.id] {
      drop(id, Verdict::kRejected, "its files could not be put in place: this capsule has no workspace for files");
    });
    return false;
  }
  if (run.request.artifacts) run.files.workspace = capsule.workspace();
  run.files.since_ns = run.request.session.empty() ? 0 : file_clock_ns();
  return true;
}

void Dispatcher::drive(Active& active, Lease lease) {
  Run& run = *active.run;
  run.apply(RunEvent::kLeased);
  run.trace.mark(TraceEvent::kLeased, now(), word_of_lease(run.lease));
  const Profile& profile = pools_.at(run.profile)->profile();
  auto settings = admission_.settings_for(run.request, profile);
  if (!settings) {  // it was admitted with limits that a reload has since lowered: the lower ones hold
    events_.on_ruled(run, label::Ruling::kTightened, to_string(label::Policy::kLimit));
    settings = admission_.settings_for(run.request, profile, Above::kLowered);
  }
  active.driver =
      std::make_unique<RunDriver>(loop_, active.run, std::move(lease), settings.value_or(RunSettings{}), metrics_,
                                  [this, id = run.id](const Ending& ending) { ended(id, ending); });
  active.driver->start();
  for (const Input& input : std::exchange(active.early_input, {})) (void)active.driver->input(input);
}

// Of the capsule it was offered or belongs to; else what the latest capsule and worker of its profile had.
std::vector<Layer> Dispatcher::layers_for(const Run& run) const {
  if (!run.outcome.evidence.layers.empty()) return run.outcome.evidence.layers;
  const Session* session = run.request.session.empty() ? nullptr : sessions_.find(run.request.session);
  if (session != nullptr && session->lease().worker) return session->lease().layers();
  return pools_.at(run.profile)->layers();
}

void Dispatcher::refuse_late(const Run& run, label::Rejection reason) {
  admission_.refused(reason);
  events_.on_ruled(run, label::Ruling::kRefused, to_string(reason));
}

// Posted: the pool or the pump is in the middle of telling others.
void Dispatcher::refuse_sandbox(const RunId& id, Lease unused, const std::string& missing) {
  Active& active = runs_.at(id);
  if (unused.capsule) {
    active.run->outcome.evidence.layers = unused.layers();
    active.pool->release(std::move(unused), label::Recycle::kUsed);
  }
  loop_.post([this, id, missing] {
    if (const auto found = runs_.find(id); found != runs_.end()) {
      refuse_late(*found->second.run, label::Rejection::kLayerMissing);
    }
    drop(id, Verdict::kRejected, "required layers are not in force: " + missing, Retry::kInVain);
  });
}

void Dispatcher::ended(const RunId& id, const Ending& ending) {
  Active& active = runs_.at(id);
  Run& run = *active.run;
  RunDriver& driver = *active.driver;
  run.apply(RunEvent::kDrained);
  run.trace.mark(TraceEvent::kDrained, now());
  const std::string session_id = run.request.session;
  if (session_id.empty()) {
    finish(id);  // the answer first; ending the capsule is nobody's wait
    return;
  }
  Session* session = sessions_.find(session_id);
  if (session == nullptr) {
    run.outcome.evidence.session_state = "gone";
    pools_.at(run.profile)->release(driver.lease(), recycle_for(ending));
    return finish(id);
  }
  session->end_run(driver, ending, [this, id](Session::AfterRun after) {
    Evidence& evidence = runs_.at(id).run->outcome.evidence;
    evidence.session_state = std::move(after.state);
    if (!after.detail.empty()) evidence.detail += (evidence.detail.empty() ? "" : "; ") + after.detail;
    evidence.rollback = std::move(after.rollback);
    evidence.fallback = std::move(after.fallback);
    finish(id);
  });
  sessions_.ran(session_id);
}

// ---- out -------------------------------------------------------------------------------------------------------

void Dispatcher::end_waiting(const RunId& id, label::CancelReason reason, const std::string& why) {
  if (!runs_.contains(id)) return;
  metrics_.cancel_requested(reason);
  drop(id, reason == label::CancelReason::kShutdown ? Verdict::kAborted : Verdict::kCancelled, why);
}

void Dispatcher::drop(const RunId& id, Verdict verdict, const std::string& why, Retry retry) {
  const auto found = runs_.find(id);
  if (found == runs_.end()) return;
  Active& active = found->second;
  if (active.ticket != 0) active.pool->cancel(active.ticket);
  scheduler_.cancel_queued(id);
  Run& run = *active.run;
  run.apply(RunEvent::kDropped);
  run.finished_at = now();
  run.outcome.run_id = id;
  run.outcome.verdict = verdict;
  run.outcome.exit_status = exit_status_for(verdict, 0, 0);
  run.outcome.evidence.detail = why;
  run.outcome.evidence.layers = layers_for(run);
  run.outcome.evidence.retry = retry == Retry::kAsVerdict && retry_makes_sense(verdict);
  run.outcome.usage.queue_us = static_cast<uint64_t>(to_microseconds(run.finished_at - run.queued_at));
  finish(id);
}

void Dispatcher::finish(const RunId& id) {
  auto found = runs_.extract(id);
  Active active = std::move(found.mapped());
  Run& run = *active.run;
  Pool& pool = *pools_.at(run.profile);
  const bool had_worker = active.driver != nullptr;
  if (active.counted == Active::Counted::kQueued) uids_.unqueued(run.uid, run.queued_bytes);
  if (active.counted == Active::Counted::kWorker) uids_.gave_worker_back(run.uid);
  if (is_crash(run.outcome.verdict)) uids_.crashed(run.uid, now());
  run.trace.mark(TraceEvent::kFinished, now(), to_string(run.outcome.verdict));
  if (run.recording) std::exchange(run.recording, nullptr)->finished(run);  // before anybody hears of it
  metrics_.run_finished(pool.handle(), run.outcome.verdict, run.lasted(), run.trace.sampled_id());
  if (const auto client = run.listener.lock()) {
    // Before the verdict, with which the client comes for them.
    if (had_worker && run.files.workspace) files_.keep(id, run.client, std::exchange(run.files, {}));
    Message verdict(std::move(run.outcome));  // not a copy: it has the texts of all layers
    client->send(verdict);
    run.outcome = std::move(std::get<Finished>(verdict));
  }
  events_.on_finished(run);
  forget_large(run);
  log_debug("run finished", {{"request_id", run.request_id},
                             {"session", run.request.session},
                             {"run_id", id},
                             {"uid", std::to_string(run.uid)},
                             {"verdict", std::string(to_string(run.outcome.verdict))}});
  if (had_worker && run.request.session.empty()) {
    pool.release(active.driver->lease(), run.outcome.evidence.rung == "kill"           ? label::Recycle::kKilled
                                         : run.outcome.verdict == Verdict::kCrashed    ? label::Recycle::kCrashed
                                         : run.outcome.verdict == Verdict::kWorkerLost ? label::Recycle::kLost
                                                                                       : label::Recycle::kUsed);
  }
  scheduler_.finished(id);
  finished_.push_front(active.run);
  while (finished_.size() > config_.sessions.finished_runs_kept) finished_.pop_back();
  pump_soon();
  if (runs_.empty() && when_idle_) loop_.post(std::exchange(when_idle_, nullptr));
}

void Dispatcher::expire() {
  const TimePoint at = now();
  for (const QueuedRun& late : scheduler_.take_expired(at)) {
    refuse_late(*runs_.at(late.id).run, label::Rejection::kAcquireTimeout);
    std::string detail = pools_.at(late.profile)->detail();
    if (!may_hold_workers(late.uid, 1)) detail = UidUse::describe(UidUse::Cap::kWorkers);
    drop(late.id, Verdict::kRejected,
         "no worker became free in time (pool.acquire_timeout_s)" + (detail.empty() ? "" : ": " + detail));
  }
  arm();
}

void Dispatcher::arm() {
  expiry_timer_.at(scheduler_.next_deadline().value_or(TimePoint::max()), [this] { expire(); });
}

// ---- sessions, shutdown, views -----------------------------------------------------------------------------------

void Dispatcher::session_ready(const std::string& id) {
  scheduler_.unblock_session(id);
  pump_soon();
}

void Dispatcher::session_broken(const std::string& id) { scheduler_.block_session(id); }

void Dispatcher::session_closed(const std::string& id, const Error& why) {
  const bool is_wanted = why.code == Errc::kClosed;
  for (const QueuedRun& queued : scheduler_.drop_session(id)) {
    is_wanted ? end_waiting(queued.id, label::CancelReason::kCancel, why.message)
              : drop(queued.id, Verdict::kWorkerLost, why.message, Retry::kInVain);
  }
  for (auto& [run_id, active] : runs_) {
    if (active.run->request.session == id && active.driver) active.driver->kill(StopReason::kClientCancel);
  }
  pump_soon();  // its worker counted among those of its user
}

void Dispatcher::drain(std::function<void()> idle) {
  draining_ = true;
  when_idle_ = std::move(idle);
  if (runs_.empty()) loop_.post(std::exchange(when_idle_, nullptr));
}

void Dispatcher::abort_all() {
  std::vector<RunId> waiting;
  for (auto& [id, active] : runs_) {
    if (active.driver) {
      active.driver->kill(StopReason::kShutdown);
    } else {
      waiting.push_back(id);
    }
  }
  for (const RunId& id : waiting) {
    end_waiting(id, label::CancelReason::kShutdown, "the manager shut down before it started");
  }
}

std::vector<std::shared_ptr<const Run>> Dispatcher::runs() const {
  std::vector<std::shared_ptr<const Run>> all;
  for (const auto& [id, active] : runs_) all.push_back(active.run);
  all.insert(all.end(), finished_.begin(), finished_.end());
  return all;
}

std::shared_ptr<const Run> Dispatcher::find(const std::string& run_id) const {
  if (const auto active = runs_.find(run_id); active != runs_.end()) return active->second.run;
  const auto same = [&](const std::shared_ptr<const Run>& run) { return run->id == run_id; };
  const auto found = std::find_if(finished_.begin(), finished_.end(), same);
  return found == finished_.end() ? nullptr : *found;
}

std::vector<std::pair<RunId, const RunDriver*>> Dispatcher::drivers() const {
  std::vector<std::pair<RunId, const RunDriver*>> all;
  for (const auto& [id, active] : runs_) {
    if (active.driver) all.emplace_back(id, active.driver.get());
  }
  return all;
}

OutputCount Dispatcher::output_of(const Run& run) const {
  const auto found = runs_.find(run.id);
  return found != runs_.end() && found->second.driver ? found->second.driver->output_count() : run.output;
}

}  // namespace capsule
