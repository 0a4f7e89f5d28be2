#include "manager/observe/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cassert>
#include <sstream>

#include "manager/observe/families.h"
#include "manager/observe/golden_signals.h"
#include "manager/observe/openmetrics.h"
#include "manager/observe/process_collector.h"
#include "protocol/process_messages.h"

namespace capsule {
namespace {

constexpr std::string_view kOtherProfiles = "other";

double count(size_t number) { return static_cast<double>(number); }
uint64_t whole(const prometheus::Counter& counter) { return static_cast<uint64_t>(counter.Value()); }

void raise(prometheus::Gauge& highest, double value) {
  if (value > highest.Value()) highest.Set(value);
}

// A counter of something that counts for itself.
void follow(prometheus::Counter& counter, uint64_t total) {
  counter.Increment(std::max(0.0, static_cast<double>(total) - counter.Value()));
}

}  // namespace

Metrics::Metrics(std::string_view version, int64_t started_wall_ms)
    : families_(std::make_unique<Families>(version, started_wall_ms)) {}
Metrics::~Metrics() = default;

std::string Metrics::expose(MetricsFormat format) const {
  std::vector<prometheus::MetricFamily> families = families_->registry.Collect();
  for (auto& family : collect_process_metrics()) families.push_back(std::move(family));
  for (auto& family : families_->user.collect()) families.push_back(std::move(family));
  if (format == MetricsFormat::kOpenMetrics) {
    return openmetrics_text(families, {{"capsule_run_duration_seconds", &families_->run_duration_exemplars},
                                       {"capsule_run_queue_wait_seconds", &families_->queue_wait_exemplars}});
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return std::move(text).str();
}

std::string Metrics::golden_signals(Duration uptime) const {
  return golden_signals_json(families_->registry.Collect(), to_seconds(uptime));
}

ProfileHandle Metrics::register_profile(std::string_view name) {
  auto& profiles = families_->profiles;
  for (size_t i = 0; i < profiles.size(); ++i) {
    if (profiles[i].name == name) return {i};
  }
  if (profiles.size() == kMaxProfiles) profiles.push_back(families_->make_profile(std::string(kOtherProfiles)));
  if (profiles.size() > kMaxProfiles) return {kMaxProfiles};
  profiles.push_back(families_->make_profile(std::string(name)));
  return {profiles.size() - 1};
}

void Metrics::set_uptime(Duration uptime) { families_->uptime.Set(to_seconds(uptime)); }
void Metrics::set_state_filesystem(uint64_t size_bytes, uint64_t available_bytes) {
  families_->state_size.Set(count(size_bytes));
  families_->state_available.Set(count(available_bytes));
}

void Metrics::run_created(ProfileHandle profile) { of(profile).runs_created->Increment(); }

void Metrics::run_started(Duration queue_wait, std::string_view trace_id) {
  families_->queue_wait.Observe(to_seconds(queue_wait));
  families_->queue_wait_exemplars.note(to_seconds(queue_wait), trace_id, wall_clock_ms());
  raise(families_->queue_wait_max, to_seconds(queue_wait));
}

void Metrics::run_finished(ProfileHandle profile, Verdict verdict, std::optional<Duration> ran,
                           std::string_view trace_id) {
  of(profile).runs[verdict].Increment();
  if (!ran) return;
  families_->run_duration.Observe(to_seconds(*ran));
  families_->run_duration_exemplars.note(to_seconds(*ran), trace_id, wall_clock_ms());
}

void Metrics::set_runs_in_progress(size_t runs) { families_->runs_in_progress.Set(count(runs)); }
void Metrics::run_awaited(uint32_t blocking_calls) {
  families_->runs_awaited.Increment();
  families_->blocking_calls.Increment(blocking_calls);
}

void Metrics::run_slow() { families_->runs_slow.Increment(); }

void Metrics::set_queue(size_t depth, size_t capacity) {
  families_->queue_depth.Set(count(depth));
  families_->queue_capacity.Set(count(capacity));
}

void Metrics::set_oldest_wait(Duration wait) { families_->queue_oldest_wait.Set(to_seconds(wait)); }
void Metrics::queue_rejected(label::Rejection reason) { families_->queue_rejected[reason].Increment(); }

void Metrics::set_workers(ProfileHandle profile, const WorkerCounts& counts) {
  of(profile).workers_starting->Set(count(counts.starting));
  of(profile).workers_idle->Set(count(counts.idle));
  of(profile).workers_leased->Set(count(counts.leased));
  of(profile).workers_retiring->Set(count(counts.retiring));
}

void Metrics::set_capsules_ready(ProfileHandle profile, size_t capsules) {
  of(profile).capsules_ready->Set(count(capsules));
}

void Metrics::set_pool_waiting(ProfileHandle profile, size_t waiting) { of(profile).waiting->Set(count(waiting)); }

void Metrics::set_pool_targets(ProfileHandle profile, const PoolTargets& targets) {
  of(profile).pool_warm->Set(count(targets.warm));
  of(profile).pool_min->Set(count(targets.min));
  of(profile).pool_max->Set(count(targets.max));
  of(profile).ready->Set(targets.ready ? 1 : 0);
}
void Metrics::set_worker_memory(ProfileHandle profile, const MemoryUse& memory) {
  of(profile).private_memory->Set(count(memory.private_bytes));
  of(profile).shared_memory->Set(count(memory.shared_bytes));
}
void Metrics::pool_max_reached(ProfileHandle profile) { of(profile).max_reached->Increment(); }

void Metrics::pool_acquired(ProfileHandle profile, label::Lease how, Duration took) {
  const ProfileSeries& series = of(profile);
  const double took_s = to_seconds(took);
  (how == label::Lease::kHit ? series.hits : series.misses)->Increment();
  series.acquisitions->Increment();
  series.acquire->Observe(took_s);
  raise(*series.acquire_max, took_s);
  series.hit_ratio->Set(series.hits->Value() / series.acquisitions->Value());
}

void Metrics::pool_exhausted(ProfileHandle profile) { of(profile).exhausted->Increment(); }
void Metrics::worker_recycled(ProfileHandle profile, label::Recycle reason) {
  of(profile).recycled[reason].Increment();
}
void Metrics::zygote_restarted(ProfileHandle profile, label::ZygoteRestart reason) {
  of(profile).restarts[reason].Increment();
}
void Metrics::warmup_triggered(ProfileHandle profile) { of(profile).warmup_triggers->Increment(); }
void Metrics::health_triggered(ProfileHandle profile) { of(profile).health_triggers->Increment(); }
void Metrics::health_checked(ProfileHandle profile, label::HealthOutcome outcome) {
  of(profile).health_checks[outcome].Increment();
}
void Metrics::spawn_step(label::SpawnStep step, Duration took) {
  families_->spawn_steps[static_cast<size_t>(step)]->Observe(to_seconds(took));
}
void Metrics::set_breaker(ProfileHandle profile, label::Breaker state) {
  of(profile).breaker_open->Set(state == label::Breaker::kOpen ? 1 : 0);
}

PoolTotals Metrics::pool_totals(ProfileHandle profile) const {
  const ProfileSeries& series = of(profile);
  PoolTotals totals;
  totals.hits = whole(*series.hits);
  totals.misses = whole(*series.misses);
  totals.acquisitions = whole(*series.acquisitions);
  totals.exhausted = whole(*series.exhausted);
  totals.hit_ratio = series.hit_ratio->Value();
  totals.acquire_max_s = series.acquire_max->Value();
  const auto acquire = series.acquire->Collect().histogram;
  if (acquire.sample_count > 0) totals.acquire_mean_s = acquire.sample_sum / count(acquire.sample_count);
  totals.restarts = static_cast<uint64_t>(series.restarts.sum());
  totals.warmup_triggers = whole(*series.warmup_triggers);
  totals.health_triggers = whole(*series.health_triggers);
  totals.health_checks = static_cast<uint64_t>(series.health_checks.sum());
  for (const label::Recycle reason : label::kAllRecycles) {
    totals.recycles.emplace_back(to_string(reason), whole(series.recycled[reason]));
  }
  return totals;
}

void Metrics::heartbeat() { families_->heartbeats.Increment(); }
void Metrics::heartbeat_suspect() { families_->heartbeat_suspects.Increment(); }
void Metrics::heartbeat_lost() { families_->heartbeat_losses.Increment(); }

void Metrics::cancel_requested(label::CancelReason reason) { families_->cancels[reason].Increment(); }
void Metrics::cancel_rung(label::Rung rung) { families_->cancel_rungs[rung].Increment(); }
void Metrics::cancel_without_effect() { families_->cancels_without_effect.Increment(); }
void Metrics::interrupt_sent() { families_->interrupts.Increment(); }
void Metrics::interrupts_late(uint64_t number) { families_->interrupts_late.Increment(count(number)); }

void Metrics::output_chunk(label::Stream stream, size_t size_bytes) {
  families_->output_chunks[stream].Increment();
  families_->output_bytes[stream].Increment(count(size_bytes));
}
void Metrics::output_enqueued(size_t size_bytes) {
  families_->enqueued_chunks.Increment();
  families_->output_enqueued.Increment(count(size_bytes));
}
void Metrics::output_sent(uint64_t whole_chunks, uint64_t size_bytes) {
  families_->sent_chunks.Increment(count(whole_chunks));
  families_->output_sent.Increment(count(size_bytes));
}
void Metrics::output_dropped(size_t size_bytes) {
  families_->dropped_chunks.Increment();
  families_->output_dropped.Increment(count(size_bytes));
}
void Metrics::output_late(size_t size_bytes) { families_->output_late.Increment(count(size_bytes)); }
void Metrics::output_queue_depth(size_t depth_bytes) { raise(families_->output_queue_deepest, count(depth_bytes)); }
void Metrics::output_drain_timed_out() { families_->output_drain_timeouts.Increment(); }

void Metrics::set_open_streams(size_t streams) { families_->open_streams.Set(count(streams)); }

void Metrics::frame(label::Direction direction, label::Frame type, size_t size_bytes) {
  const auto to = static_cast<size_t>(direction), of_type = static_cast<size_t>(type);
  families_->frames[to][of_type]->Increment();
  families_->frame_bytes[to][of_type]->Increment(count(size_bytes));
}
void Metrics::requested(label::Request type) { families_->requests[type].Increment(); }
void Metrics::request_answered(Duration took) { families_->request_seconds.Observe(to_seconds(took)); }
void Metrics::request_failed(Errc code) { families_->request_errors[code].Increment(); }
void Metrics::file_bytes(label::Direction direction, size_t size_bytes) {
  families_->file_bytes[direction].Increment(count(size_bytes));
}
void Metrics::file_skipped() { families_->files_skipped.Increment(); }
void Metrics::frame_error(label::Socket socket) { families_->frame_errors[socket].Increment(); }
void Metrics::rate_limit_asked() { families_->rate_limit_asks.Increment(); }
void Metrics::rate_limit_woke() { families_->rate_limit_wakes.Increment(); }
void Metrics::rate_limit_waited(Duration wait) {
  families_->rate_limit_waits.Increment();
  families_->rate_limit_wait_seconds.Increment(to_seconds(wait));
}
void Metrics::client_connection(label::Connection outcome) { families_->client_connections_total[outcome].Increment(); }
void Metrics::set_client_connections(size_t connections) { families_->client_connections.Set(count(connections)); }

void Metrics::set_sessions(const SessionCounts& counts) {
  families_->sessions_starting->Set(count(counts.starting));
  families_->sessions_ready->Set(count(counts.ready));
  families_->sessions_busy->Set(count(counts.busy));
  families_->sessions_rolled_back->Set(count(counts.rolled_back));
}
void Metrics::proxy_request(label::ProxyOutcome outcome) {
  families_->proxy_requests[outcome].Increment();
  if (outcome == label::ProxyOutcome::kDenied) sandbox_denied(label::Denial::kNetwork);
}
void Metrics::sandbox_denied(label::Denial mechanism, uint64_t times) {
  families_->denials[mechanism].Increment(count(times));
}
void Metrics::set_layers(const LayerCounts& counts) {
  const auto set = [this](label::LayerState state, size_t number) {
    families_->layers[static_cast<size_t>(state)]->Set(count(number));
  };
  set(label::LayerState::kOn, counts.on);
  set(label::LayerState::kDegraded, counts.degraded);
  set(label::LayerState::kOff, counts.off);
}
void Metrics::session_closed(label::SessionClose reason) { families_->sessions_closed[reason].Increment(); }
void Metrics::snapshot(label::Snapshot outcome, Duration took) {
  families_->snapshots[outcome].Increment();
  if (outcome == label::Snapshot::kTaken) families_->snapshot_seconds.Observe(to_seconds(took));
}
void Metrics::snapshot_evicted() { families_->snapshots_evicted.Increment(); }
void Metrics::forked(label::Fork outcome, size_t forks, Duration took) {
  families_->forks[outcome].Increment(count(forks));
  if (outcome == label::Fork::kMade) families_->fork_seconds.Observe(to_seconds(took));
}
void Metrics::fork_begun(label::ForkStart start) { families_->fork_starts[start].Increment(); }
void Metrics::rolled_back(label::Rollback to, Duration took) {
  families_->rollbacks[to].Increment();
  families_->rollback_seconds.Observe(to_seconds(took));
}
void Metrics::set_snapshots(size_t snapshots, size_t checkpoints) {
  families_->snapshots_parked->Set(count(snapshots));
  families_->checkpoints_parked->Set(count(checkpoints));
}

void Metrics::set_snapshot_memory(uint64_t private_bytes) { families_->snapshot_memory.Set(count(private_bytes)); }
void Metrics::checkpointed(label::CheckpointWork work, label::CheckpointOutcome outcome, Duration took,
                           uint64_t size_bytes) {
  families_->checkpoints[static_cast<size_t>(work)][outcome].Increment();
  if (outcome != label::CheckpointOutcome::kDone) return;
  families_->checkpoint_seconds[work].Increment(to_seconds(took));
  families_->checkpoint_bytes[work].Increment(count(size_bytes));
}

void Metrics::record_appended(label::Recorded what, size_t size_bytes) {
  families_->record_appends[what].Increment();
  families_->record_append_bytes[what].Increment(count(size_bytes));
}
void Metrics::record_lost(label::Recorded what) { families_->record_lost[what].Increment(); }
void Metrics::records_expired(uint64_t number) { families_->records_expired.Increment(count(number)); }
void Metrics::records_aborted(uint64_t number) { families_->records_aborted.Increment(count(number)); }
void Metrics::set_records(uint64_t records, uint64_t size_bytes, uint64_t backlog_bytes) {
  families_->records.Set(count(records));
  families_->record_bytes.Set(count(size_bytes));
  families_->record_backlog.Set(count(backlog_bytes));
}

void Metrics::ruled(label::Ruling ruling) { families_->rulings[ruling].Increment(); }
void Metrics::policy_violated(label::Policy policy) { families_->policy_violations[policy].Increment(); }
void Metrics::set_audit(label::AuditLogKind kind, const AuditCounts& counts) {
  follow(families_->audit_records[kind], counts.written);
  follow(families_->audit_bytes[kind], counts.written_bytes);
  follow(families_->audit_lost[kind], counts.lost);
  follow(families_->audit_damages[kind], counts.damages);
}
void Metrics::set_evidence(label::Evidence what, EvidenceState state) {
  families_->evidence_degraded[static_cast<size_t>(what)]->Set(state.is_degraded ? 1 : 0);
}

void Metrics::set_audit_queue(size_t records) { families_->audit_queue.Set(count(records)); }

void Metrics::set_spans(label::SpanOutcome outcome, uint64_t total) { follow(families_->spans[outcome], total); }
void Metrics::set_span_export(uint64_t failures, uint64_t waiting) {
  follow(families_->span_export_failures, failures);
  families_->spans_waiting.Set(count(waiting));
}

// The series of other answers than 200 exist once there was one: three methods, eleven routes and the few codes of
// http_answers.cc bound them.
void Metrics::http_answered(label::HttpMethod method, label::HttpRoute route, unsigned status, Duration took) {
  const label::HttpCode code = status < 400   ? label::HttpCode::kServed
                               : status < 500 ? label::HttpCode::kRefused
                                              : label::HttpCode::kFailed;
  families_->http_requests[static_cast<size_t>(method)][static_cast<size_t>(route)][static_cast<size_t>(code)]
      ->Increment();
  families_->http_seconds.Observe(to_seconds(took));
}

void Metrics::log_record(LogLevel level) { families_->log_messages[level].Increment(); }
void Metrics::set_log_lines_lost(uint64_t total) { follow(families_->log_lost, total); }

void Metrics::set_user_metric_limits(size_t names, size_t series) { families_->user.set_limits({names, series}); }
void Metrics::user_metric(const Metric& metric) {
  if (const auto dropped = families_->user.take(metric)) return user_metric_dropped(*dropped);
  families_->user_series.Set(count(families_->user.series()));
}
void Metrics::user_metric_dropped(label::UserMetricDrop reason) { families_->user_metrics_dropped[reason].Increment(); }

const ProfileSeries& Metrics::of(ProfileHandle profile) const {
  assert(profile.index < families_->profiles.size());
  return families_->profiles[profile.index];
}

}  // namespace capsule
