#include "manager/link/run_driver.h"

#include <tuple>

#include "manager/link/claim_bounds.h"
#include "manager/link/stack_text.h"
#include "manager/observe/log.h"
#include "manager/storage/run_recording.h"

namespace capsule {
namespace {

constexpr milliseconds kStackPatience{100};  // for a worker to tell its stack before it is killed
constexpr seconds kLiveStackPatience{1};     // while its run goes on

label::CancelReason label_of(StopReason reason) {
  switch (reason) {
    case StopReason::kClientCancel: return label::CancelReason::kCancel;
    case StopReason::kTimeout: return label::CancelReason::kTimeout;
    case StopReason::kCpuLimit: return label::CancelReason::kCpuLimit;
    case StopReason::kMemoryLimit: return label::CancelReason::kMemoryLimit;
    case StopReason::kOutputLimit: return label::CancelReason::kOutputLimit;
    case StopReason::kClientGone: return label::CancelReason::kClientGone;
    case StopReason::kShutdown: return label::CancelReason::kShutdown;
  }
  return label::CancelReason::kCancel;
}

// Why a run is being ended, for its trace.
std::string_view word_of(const RunEnding& ending) {
  const auto reason = ending.ladder().reason();
  return reason ? to_string(label_of(*reason)) : std::string_view("lost");
}

}  // namespace

RunDriver::RunDriver(Loop& loop, std::shared_ptr<Run> run, Lease lease, RunSettings settings, Metrics& metrics,
                     Done done)
    : loop_(loop),
      run_(std::move(run)),
      lease_(std::move(lease)),
      settings_(std::move(settings)),
      metrics_(metrics),
      done_(std::move(done)),
      ending_(settings_.limits),
      budget_(settings_.output_policy, settings_.limits.output_bytes),
      timer_(loop),
      slow_timer_(loop),
      stacks_(loop, [this] { lease_.worker->ask_stack(run_->id); }) {
  guard_ =
      std::make_unique<LimitGuard>(loop_, lease_.capsule, settings_.limits, std::exchange(settings_.spare_memory, {}),
                                   [this](StopReason passed) { limit_passed(passed); });
}

RunDriver::~RunDriver() = default;

void RunDriver::start() {
  lease_.worker->set_holder(this);
  lease_.worker->count_run();
  run_->worker_pid = lease_.worker->pid();
  if (const Status made = make_pipes(); !made) {
    ending_.not_started(Verdict::kInternalError, "the run's pipes cannot be made: " + made.error().message);
    return settle();
  }
  bounds_.put_in_force(lease_, settings_, [this](const Status& bounded) {
    if (bounded) return place_files();
    ending_.not_started(Verdict::kRejected, bounded.error().message);
    settle();
  });
}

void RunDriver::place_files() {
  const auto upload = std::exchange(run_->upload, nullptr);
  if (!upload) return start_program();
  placing_ = std::make_unique<Placing>(loop_, upload, lease_.capsule->workspace(), [this](Result<Manifest> placed) {
    placing_.reset();
    if (placed) {
      run_->files.uploaded = std::move(*placed);
      return start_program();
    }
    ending_.not_started(Verdict::kRejected, "its files could not be put in place: " + placed.error().message);
    settle();
  });
}

void RunDriver::start_program() {
  send_execute();
  const TimePoint at = now();
  run_->started_at = at;
  run_->trace.mark(TraceEvent::kStarted, at);
  run_->apply(RunEvent::kStarted);
  ending_.started(at);
  guard_->start();
  metrics_.run_started(at - run_->queued_at, run_->trace.sampled_id());
  if (run_->recording) run_->recording->started(*run_);
  if (const auto client = listener()) {
    client->send_soon(Started{run_->id, static_cast<uint64_t>(to_microseconds(at - run_->queued_at)), run_->lease});
  }
  if (settings_.slow_after > Duration::zero()) slow_timer_.after(settings_.slow_after, [this] { note_slow(); });
  settle();
}

void RunDriver::send_execute() {
  Execute execute = std::move(run_->request);
  execute.id = 0;
  execute.run_id = run_->id;
  execute.environment = std::move(settings_.secrets);
  execute.environment.try_emplace("TRACEPARENT", traceparent_of(run_->trace.context));
  const auto wishes = std::tuple(execute.memory_bytes, execute.processes, execute.open_files);
  execute.memory_bytes = settings_.program_memory_bytes;
  execute.processes = bounds_.tasks_for_worker();
  execute.open_files = settings_.tightened.open_files;
  lease_.worker->send(execute, std::exchange(worker_ends_, {}));
  execute.code = {};
  execute.environment = {};
  std::tie(execute.memory_bytes, execute.processes, execute.open_files) = wishes;
  run_->request = std::move(execute);
}

void RunDriver::not_started(StopReason reason) {
  placing_.reset();
  bounds_ = {};
  ending_.not_started(verdict_for(reason), "stopped before it started");
  settle();
}

void RunDriver::stop(StopReason reason) {
  if (ending_.ending()) return;
  metrics_.cancel_requested(label_of(reason));
  if (is_preparing()) return not_started(reason);
  act(ending_.stop(reason, now()));
  settle();
}

void RunDriver::kill(StopReason reason) {
  if (ending_.ending()) return;
  metrics_.cancel_requested(label_of(reason));
  if (is_preparing()) return not_started(reason);
  act(ending_.kill(reason, now()));
  settle();
}

// Memory is short: the kill comes at once. Processor time has its grace like any other stop.
void RunDriver::limit_passed(StopReason which) {
  if (which != StopReason::kMemoryLimit) return stop(which);
  if (ending_.ending()) return;
  stack_missing_ = "killed at once: memory ran out";
  kill(which);
}

void RunDriver::act(StopAction action) {
  switch (action) {
    case StopAction::kNothing: return;
    case StopAction::kInterrupt:
      release_displays();  // who waits for that hears no interrupt
      run_->trace.mark(TraceEvent::kInterruptSent, now(), word_of(ending_));
      metrics_.interrupt_sent();
      return lease_.worker->interrupt(run_->id);
    case StopAction::kKill: run_->trace.mark(TraceEvent::kKilled, now(), word_of(ending_)); return kill_worker();
  }
}

// Asks first where it is: its link thread answers, unless the process is stopped or its link is gone.
void RunDriver::kill_worker() {
  const auto reason = ending_.ladder().reason();
  const bool is_wanted = reason == StopReason::kClientCancel || reason == StopReason::kTimeout ||
                         reason == StopReason::kCpuLimit || reason == StopReason::kOutputLimit;
  if (!is_wanted || ending_.ending() || std::exchange(is_killing_, true)) return lease_.worker->kill();
  stacks_.ask(kStackPatience, [this](const Result<std::string>& told) {
    if (finished_) return;
    if (told) stack_ = *told;
    lease_.worker->kill();
  });
}

void RunDriver::tell_stack(StackProbe::Answer answer) {
  if (run_->started_at == TimePoint{} || finished_) {
    return answer(failure(Errc::kConflict, "run '" + run_->id + "' has no stack: it has not started, or just ended"));
  }
  stacks_.ask(kLiveStackPatience, std::move(answer));
}

// Once: what somebody who looks for the reason will want to know, before it is asked for.
void RunDriver::note_slow() {
  metrics_.run_slow();
  log_about(works_for(), LogLevel::kWarning, "run is slow",
            {{"profile", run_->profile}, {"running_s", std::to_string(to_seconds(now() - run_->started_at))}});
  if (!run_->recording) return;
  stacks_.ask(kLiveStackPatience, [this](const Result<std::string>& told) {
    const Duration after = now() - run_->started_at;
    const std::string stack = told ? program_stack(*told) : "";
    const std::string_view why =
        told ? "no code of the program was on a stack" : std::string_view(told.error().message);
    run_->recording->slow(after, stack, stack.empty() ? why : "");
  });
}

void RunDriver::worker_said(Message message) {
  if (finished_) return;
  if (auto* display = std::get_if<Display>(&message)) {
    // Else it is from a thread that an earlier run left behind.
    if (display->run_id == run_->id) return take_display(std::move(*display));
    return lease_.worker->send(Ack{display->id, {}});
  }
  if (auto* result = std::get_if<ResultValue>(&message)) {
    if (result->run_id != run_->id) return broke_protocol("result for another run");
    if (result_) return broke_protocol("a second result");
    if (run_->recording) run_->recording->result(*result);
    result_ = std::move(message);
    return;
  }
  if (auto* finished = std::get_if<Finished>(&message)) {
    if (finished->run_id != run_->id) return broke_protocol("finished for another run");
    drain();
    claim_ = std::move(*finished);
    bound_claim(claim_.evidence, now() - run_->started_at);
    act(ending_.claimed(claim_.verdict, claim_.exit_status));
    return settle();
  }
  if (auto* stack = std::get_if<Stack>(&message)) {
    if (stack->run_id == run_->id) return stacks_.heard(stack->text.value);
    if (!stack->run_id.empty()) return;  // asked of an earlier run
    if (std::exchange(told_crash_, true)) return broke_protocol("a second stack");
    stack_ = std::move(stack->text.value);  // unasked: it is about to die of a fault
    return;
  }
  broke_protocol("a message that workers do not send");
}

void RunDriver::broke_protocol(const std::string& what) {
  log_about(works_for(), LogLevel::kWarning, "worker broke the protocol",
            {{"worker", lease_.worker->name()}, {"error", what}});
  act(ending_.lost(LostWhy::kProtocol));
  settle();
}

void RunDriver::worker_died(const Exited& report) {
  report_ = report;
  ending_.died(WaitStatus(static_cast<int>(report.status)), {report.self_sent_signal, guard_->oom_kills()});
  settle();
}

void RunDriver::worker_link_closed() {
  ending_.link_closed(now(), guard_->oom_kills());
  settle();
}

void RunDriver::worker_lost(LostWhy why) {
  act(ending_.lost(why));
  settle();
}

void RunDriver::settle() {
  if (finished_) return;
  if (!ending_.ending()) {
    timer_.at(ending_.next_check(), [this] {
      const auto reason_before = ending_.ladder().reason();
      act(ending_.check(now()));
      if (!reason_before && ending_.ladder().reason()) metrics_.cancel_requested(label_of(*ending_.ladder().reason()));
      settle();
    });
    return;
  }
  finish();
}

void RunDriver::finish() {
  finished_ = true;
  placing_.reset();
  worker_ends_.clear();
  release_displays();
  timer_.cancel();
  slow_timer_.cancel();
  stacks_.give_up({Errc::kConflict, "run '" + run_->id + "' ended before its stack was told"});
  guard_->stop();
  if (!ending_.ending()->worker_survives) drain();  // else its claim was a barrier and has emptied them
  if (run_->started_at != TimePoint{}) run_->trace.mark(TraceEvent::kOutputFlushed, now());
  if (stdin_) stdin_->close();
  const Ending& ending = *ending_.ending();
  if (!run_->apply(RunEvent::kEnded)) run_->apply(RunEvent::kDropped);  // it never started
  Finished& outcome = run_->outcome;
  outcome.run_id = run_->id;
  outcome.verdict = ending.verdict;
  outcome.exit_status = ending.exit_status;
  if (ending.worker_survives) outcome.error = std::move(claim_.error);
  outcome.evidence = make_evidence(ending);
  outcome.usage = make_usage();
  bounds_ = {};
  run_->finished_at = now();
  count_end(ending);
  lease_.worker->set_holder(nullptr);
  loop_.soon([done = std::move(done_), ending, result = std::move(result_), to = run_->listener] {
    const auto client = to.lock();
    if (client && result) client->send_soon(*result);
    done(ending);
  });
}

void RunDriver::count_end(const Ending& ending) {
  if (ending.rung != Rung::kNone) {
    metrics_.cancel_rung(ending.rung == Rung::kKill ? label::Rung::kKill : label::Rung::kInterrupt);
  }
  metrics_.interrupts_late(claim_.evidence.late_interrupts);
  if (ending.verdict == Verdict::kViolation) metrics_.sandbox_denied(label::Denial::kSeccomp);
  metrics_.sandbox_denied(label::Denial::kMemory, run_->outcome.evidence.oom_kills);
  const Evidence& said = claim_.evidence;
  if (!said.awaited) return;
  metrics_.run_awaited(said.blocking_calls);
  if (said.blocking_calls > 0) {
    log_warning_seldom("a program held its own event loop", {{"request_id", run_->request_id},
                                                             {"session", run_->request.session},
                                                             {"run_id", run_->id},
                                                             {"times", std::to_string(said.blocking_calls)}});
  }
}

}  // namespace capsule
