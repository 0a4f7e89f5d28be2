// What the verdict of a run is made of besides its word: evidence and usage.
#include <algorithm>

#include "manager/link/run_driver.h"
#include "manager/link/stack_text.h"

namespace capsule {
namespace {

uint64_t since(uint64_t later, uint64_t earlier) { return later > earlier ? later - earlier : 0; }

}  // namespace

OutputCount RunDriver::output_count() const {
  OutputCount count = budget_.count();
  if (const auto client = listener()) count.pending_bytes = client->queued_bytes();
  return count;
}

Evidence RunDriver::make_evidence(const Ending& ending) {
  Evidence evidence;
  evidence.signal = ending.signal;
  evidence.exit_code = ending.exit_code;
  evidence.limit = ending.limit;
  const bool may_have_met_one =
      ending.verdict == Verdict::kException || ending.verdict == Verdict::kExit || ending.verdict == Verdict::kCrashed;
  if (may_have_met_one && evidence.limit.empty()) evidence.limit = bounds_.met(lease_, settings_);
  evidence.rung = to_string(ending.rung);
  evidence.detail = ending.detail;
  if (evidence.detail.empty()) evidence.detail = claim_.evidence.detail;
  evidence.layers = lease_.layers();
  evidence.oom_kills = guard_->oom_kills();
  evidence.namespace_names = claim_.evidence.namespace_names;
  evidence.late_interrupts = claim_.evidence.late_interrupts;
  evidence.left_threads = claim_.evidence.left_threads;
  evidence.awaited = claim_.evidence.awaited;
  evidence.blocking_calls = claim_.evidence.blocking_calls;
  evidence.retry = retry_makes_sense(ending.verdict);
  evidence.output = output_count();
  run_->output = evidence.output;
  const bool by_itself = ending.verdict == Verdict::kOk || ending.verdict == Verdict::kException ||
                         (ending.verdict == Verdict::kExit && ending.worker_survives);
  if (!by_itself || ending.reason) add_stack(evidence);
  if (!by_itself) evidence.last_output.value = budget_.last_output();
  return evidence;
}

// Of the interrupted program itself where it could tell, else of what its link thread saw before it was killed.
void RunDriver::add_stack(Evidence& evidence) {
  evidence.stack.value = program_stack(stack_.empty() ? claim_.evidence.stack.value : stack_);
  if (!evidence.stack.value.empty()) return;
  if (!stack_missing_.empty()) {
    evidence.stack_missing = stack_missing_;
  } else if (!stack_.empty()) {
    evidence.stack_missing = "no code of the program was on a stack";
  } else if (run_->started_at == TimePoint{}) {
    evidence.stack_missing = "the program had not begun";
  } else if (is_killing_) {
    evidence.stack_missing = "the worker did not answer";
  } else {
    evidence.stack_missing = "the program ended before its stack was read";
  }
}

// From the kernel: /proc while the worker lives, its keeper's wait4 afterwards.
Usage RunDriver::make_usage() {
  Usage usage;
  const TimePoint started = run_->started_at == TimePoint{} ? now() : run_->started_at;
  usage.wall_us = static_cast<uint64_t>(to_microseconds(now() - started));
  usage.queue_us = static_cast<uint64_t>(to_microseconds(started - run_->queued_at));
  const ProcStats& before = lease_.worker->marked();
  run_->memory_start_bytes = before.rss_bytes;
  if (report_) {
    usage.cpu_user_us = since(report_->user_us, before.cpu_user_us);
    usage.cpu_system_us = since(report_->system_us, before.cpu_system_us);
    usage.minor_faults = since(report_->minor_faults, before.minor_faults);
    usage.major_faults = since(report_->major_faults, before.major_faults);
    usage.peak_memory_bytes = report_->max_rss_bytes;
    if (run_->outcome.verdict == Verdict::kOutOfMemory) {  // of all it started, and of files in memory
      usage.peak_memory_bytes = std::max(usage.peak_memory_bytes, guard_->peak_memory_bytes().value_or(0));
    }
  } else if (const auto after = lease_.worker->stats()) {
    usage.cpu_user_us = since(after->cpu_user_us, before.cpu_user_us);
    usage.cpu_system_us = since(after->cpu_system_us, before.cpu_system_us);
    usage.minor_faults = since(after->minor_faults, before.minor_faults);
    usage.major_faults = since(after->major_faults, before.major_faults);
    usage.peak_memory_bytes = after->peak_rss_bytes;
    run_->memory_end_bytes = after->rss_bytes;
    run_->threads = after->threads;
    lease_.worker->mark(*after);  // where the next run of a session starts from
  }
  return usage;
}

}  // namespace capsule
