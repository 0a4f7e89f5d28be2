// Every metric of the manager, by name and type, in one room. The rooms report events through typed methods; nothing is
// looked up by a string while runs go on. docs/METRICS.md lists them all, and a test compares the two.
//
// Owned by the manager, used from its thread. No method fails or blocks. Counters only grow; gauges are set by whoever
// owns the thing they show, at the latest right before expose().
//
// At the limit of kMaxProfiles further profiles share the label "other".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "manager/observe/http_exporter.h"
#include "manager/observe/labels.h"
#include "manager/observe/log.h"
#include "protocol/verdict.h"

namespace capsule {

struct Metric;  // the message

// Names a registered profile in calls; good for as long as the Metrics object.
struct ProfileHandle {
  size_t index = 0;
};

struct ProfileSeries;  // inner part of Metrics

struct WorkerCounts {
  size_t starting = 0, idle = 0, leased = 0, retiring = 0;
};

// What a pool is told to be, and whether it can make workers now.
struct PoolTargets {
  uint64_t warm = 0, min = 0, max = 0;
  bool ready = false;
};

struct MemoryUse {
  uint64_t private_bytes = 0, shared_bytes = 0;
};

// Layers of the sandbox in each state.
struct LayerCounts {
  size_t on = 0, degraded = 0, off = 0;
};

struct SessionCounts {
  size_t starting = 0, ready = 0, busy = 0, rolled_back = 0;
};

// What `info` shows of a pool, read back from the metrics: one set of counters, not two.
struct PoolTotals {
  uint64_t hits = 0, misses = 0, acquisitions = 0, exhausted = 0;
  double hit_ratio = 0;  // 0 when nothing was acquired yet
  double acquire_mean_s = 0, acquire_max_s = 0;
  uint64_t restarts = 0, warmup_triggers = 0, health_triggers = 0, health_checks = 0;
  std::vector<std::pair<std::string_view, uint64_t>> recycles;  // every reason, also those at 0
};

class Metrics {
 public:
  static constexpr size_t kMaxProfiles = 32;

  Metrics(std::string_view version, int64_t started_wall_ms);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  std::string expose(MetricsFormat format = MetricsFormat::kText) const;
  std::string golden_signals(Duration uptime) const;  // JSON: golden_signals.h

  // The same name gives the same handle.
  ProfileHandle register_profile(std::string_view name);

  void set_uptime(Duration uptime);
  void set_state_filesystem(uint64_t size_bytes, uint64_t available_bytes);

  // Runs. `ran` is empty when the run never got to a worker, `trace_id` when it is no exemplar.
  void run_created(ProfileHandle profile);
  void run_started(Duration queue_wait, std::string_view trace_id = {});
  void run_finished(ProfileHandle profile, Verdict verdict, std::optional<Duration> ran,
                    std::string_view trace_id = {});
  void set_runs_in_progress(size_t runs);
  void run_slow();                            // it has lasted for run.slow_after_s
  void run_awaited(uint32_t blocking_calls);  // it had top-level await; so often it held its own event loop

  // Queue.
  void set_queue(size_t depth, size_t capacity);
  void set_oldest_wait(Duration wait);  // of those that are still queued
  void queue_rejected(label::Rejection reason);

  // Pool.
  void set_workers(ProfileHandle profile, const WorkerCounts& counts);
  void set_capsules_ready(ProfileHandle profile, size_t capsules);
  void set_pool_waiting(ProfileHandle profile, size_t waiting);
  void set_pool_targets(ProfileHandle profile, const PoolTargets& targets);
  void set_worker_memory(ProfileHandle profile, const MemoryUse& memory);
  void pool_max_reached(ProfileHandle profile);  // as many workers as there may be are in use
  void pool_acquired(ProfileHandle profile, label::Lease how, Duration took);
  void pool_exhausted(ProfileHandle profile);  // an acquisition that ended without a worker
  void worker_recycled(ProfileHandle profile, label::Recycle reason);
  void zygote_restarted(ProfileHandle profile, label::ZygoteRestart reason);
  void warmup_triggered(ProfileHandle profile);
  void health_triggered(ProfileHandle profile);
  void health_checked(ProfileHandle profile, label::HealthOutcome outcome);
  void spawn_step(label::SpawnStep step, Duration took);
  void set_breaker(ProfileHandle profile, label::Breaker state);
  PoolTotals pool_totals(ProfileHandle profile) const;

  // Heartbeats.
  void heartbeat();
  void heartbeat_suspect();
  void heartbeat_lost();

  // Cancel and timeout.
  void cancel_requested(label::CancelReason reason);
  void cancel_rung(label::Rung rung);
  void cancel_without_effect();  // nothing of that id was queued or running
  void interrupt_sent();
  void interrupts_late(uint64_t count);

  // Output of programs. chunk: read from a pipe; enqueued, sent: towards a client; late: after its run had finished.
  void output_chunk(label::Stream stream, size_t size_bytes);
  void output_enqueued(size_t size_bytes);
  void output_sent(uint64_t whole_chunks, uint64_t size_bytes);
  void output_dropped(size_t size_bytes);
  void output_late(size_t size_bytes);
  void output_queue_depth(size_t depth_bytes);  // the deepest ever seen is kept
  void output_drain_timed_out();
  void set_open_streams(size_t streams);  // of programs that run: stdout, stderr, and stdin where a client feeds it

  // Frames and connections.
  void frame(label::Direction direction, label::Frame type, size_t size_bytes);
  void frame_error(label::Socket socket);
  void rate_limit_asked();
  void rate_limit_waited(Duration wait);
  void rate_limit_woke();  // a client that was made to wait is read again
  // Requests over the socket: when one comes, when it is answered, and with which error if so.
  void requested(label::Request type);
  void request_answered(Duration took);
  void request_failed(Errc code);
  void client_connection(label::Connection outcome);
  void set_client_connections(size_t connections);

  // Files. received: into uploads; sent: out of workspaces.
  void file_bytes(label::Direction direction, size_t size_bytes);
  void file_skipped();

  // A program asked the proxy of its capsule for a connection.
  void proxy_request(label::ProxyOutcome outcome);

  // The sandbox.
  void sandbox_denied(label::Denial mechanism, uint64_t times = 1);
  void set_layers(const LayerCounts& counts);

  // Sessions.
  void set_sessions(const SessionCounts& counts);
  void session_closed(label::SessionClose reason);
  void snapshot(label::Snapshot outcome, Duration took);  // took: what the worker was busy with it
  void snapshot_evicted();                                // to make room in memory
  void forked(label::Fork outcome, size_t forks, Duration took);
  void fork_begun(label::ForkStart start);
  void rolled_back(label::Rollback to, Duration took);
  void set_snapshots(size_t snapshots, size_t checkpoints);
  void set_snapshot_memory(uint64_t private_bytes);
  // Of durable checkpoints; `size_bytes` before compression, of those that were done.
  void checkpointed(label::CheckpointWork work, label::CheckpointOutcome outcome, Duration took, uint64_t size_bytes);

  // Admission and audit. `written` and the like are totals since the start: the counters follow them.
  void ruled(label::Ruling ruling);
  void policy_violated(label::Policy policy);
  struct AuditCounts {
    uint64_t written = 0, written_bytes = 0, lost = 0, damages = 0;
  };
  void set_audit(label::AuditLogKind kind, const AuditCounts& counts);
  void set_audit_queue(size_t records);
  struct EvidenceState {
    bool is_degraded = false;  // it should be kept, and is not
  };
  void set_evidence(label::Evidence what, EvidenceState state);

  // Programs' own figures; user_metrics.h says which are taken.
  void set_user_metric_limits(size_t names, size_t series);
  void user_metric(const Metric& metric);
  void user_metric_dropped(label::UserMetricDrop reason);

  void http_answered(label::HttpMethod method, label::HttpRoute route, unsigned status, Duration took);

  // Spans of runs, since the start; `waiting`: those that a collector has not taken yet.
  void set_spans(label::SpanOutcome outcome, uint64_t total);
  void set_span_export(uint64_t failures, uint64_t waiting);

  // For LogOptions::on_record.
  // Records of runs: what was written of them, or given up; what retention removed; how much there is.
  void record_appended(label::Recorded what, size_t size_bytes);
  void record_lost(label::Recorded what);
  void records_expired(uint64_t number);
  void records_aborted(uint64_t number);  // at the start: an earlier manager did not see their end
  void set_records(uint64_t records, uint64_t size_bytes, uint64_t backlog_bytes);

  void log_record(LogLevel level);
  void set_log_lines_lost(uint64_t total);  // since the start

 private:
  struct Families;
  const ProfileSeries& of(ProfileHandle profile) const;

  std::unique_ptr<Families> families_;
};

}  // namespace capsule
