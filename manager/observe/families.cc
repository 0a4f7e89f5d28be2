#include "manager/observe/families.h"

#include <span>

#include "protocol/version.h"

namespace capsule {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

// Seconds. Each bound is a series, and a scrape has room for five hundred: they are close where things mostly are, and
// at what rules and alerts ask for (a queue wait of 0.2 and 1, a run of 60).
const Buckets kRunBuckets{0.01, 0.05, 0.2, 0.5, 1, 2, 5, 10, 60, 300};
const Buckets kWaitBuckets{0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5, 30};
const Buckets kStepBuckets{0.001, 0.005, 0.02, 0.1, 1};
const Buckets kAnswerBuckets{0.0005, 0.002, 0.01, 0.1, 1};

using label::Direction;
using label::Frame;
using label::HttpCode;
using label::HttpMethod;
using label::HttpRoute;

// What either kind of peer sends and gets. What a hostile one sends besides is `other`.
constexpr std::array kReceived{Frame::kExecute,  Frame::kInput,     Frame::kDisplay, Frame::kResult,
                               Frame::kFinished, Frame::kHeartbeat, Frame::kFile,    Frame::kProcess,
                               Frame::kRequest,  Frame::kAnswer,    Frame::kOther};
constexpr std::array kSent{Frame::kExecute, Frame::kOutput,  Frame::kDisplay, Frame::kResult, Frame::kFinished,
                           Frame::kFile,    Frame::kProcess, Frame::kRequest, Frame::kAnswer, Frame::kOther};

Family<Counter>& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
Family<Gauge>& gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
Family<Histogram>& histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}
Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return counters(registry, name, help).Add({});
}
Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return gauges(registry, name, help).Add({});
}

std::array<Counter*, label::kAllFrames.size()> by_type(Family<Counter>& family, Direction direction,
                                                       std::span<const Frame> types) {
  std::array<Counter*, label::kAllFrames.size()> all;
  const auto add = [&](Frame type) {
    return &family.Add({{"direction", std::string(to_string(direction))}, {"type", std::string(to_string(type))}});
  };
  all.fill(add(Frame::kOther));
  for (const Frame type : types) all[static_cast<size_t>(type)] = add(type);
  return all;
}

std::array<std::array<Counter*, label::kAllFrames.size()>, 2> by_direction(Family<Counter>& family) {
  return {by_type(family, Direction::kReceived, kReceived), by_type(family, Direction::kSent, kSent)};
}

std::array<CountersOf<label::kAllCheckpointOutcomes>, label::kAllCheckpointWorks.size()> by_work(
    Family<Counter>& family) {
  using label::CheckpointWork;
  const auto of = [&](CheckpointWork work) {
    return CountersOf<label::kAllCheckpointOutcomes>(family, "outcome", {{"operation", std::string(to_string(work))}});
  };
  return {of(CheckpointWork::kSave), of(CheckpointWork::kRestore)};
}

// Where something of ours can fail.
bool can_fail(HttpRoute route) {
  return route == HttpRoute::kHealthReady || route == HttpRoute::kHealth || route == HttpRoute::kCpuProfile ||
         route == HttpRoute::kHeapProfile;
}

// All there will ever be: with every status of every method and route a scrape could have hundreds. A route has series
// of its own for what somebody got there; who was turned away got to none of them, and other methods are few.
Counter& request_counter(Family<Counter>& family, HttpMethod method, HttpRoute route, HttpCode code) {
  const bool has_its_own =
      method == HttpMethod::kGet && (code == HttpCode::kServed || (code == HttpCode::kFailed && can_fail(route)));
  return family.Add({{"method", std::string(to_string(method))},
                     {"route", std::string(to_string(has_its_own ? route : HttpRoute::kOther))},
                     {"code", std::string(to_string(code))}});
}

HttpCounters by_request(Family<Counter>& family) {
  HttpCounters all{};
  for (const HttpMethod method : label::kAllHttpMethods) {
    for (const HttpRoute route : label::kAllHttpRoutes) {
      for (const HttpCode code : label::kAllHttpCodes) {
        all[static_cast<size_t>(method)][static_cast<size_t>(route)][static_cast<size_t>(code)] =
            &request_counter(family, method, route, code);
      }
    }
  }
  return all;
}

}  // namespace

Metrics::Families::Families(std::string_view version, int64_t started_wall_ms)
    : runs_created(counters(registry, "capsule_runs_accepted_total", "Runs accepted, by profile.")),
      runs(counters(registry, "capsule_runs_total", "Runs that ended, by verdict and profile.")),
      hits(counters(registry, "capsule_pool_hits_total", "Acquisitions served from the stock of ready workers.")),
      misses(counters(registry, "capsule_pool_misses_total", "Acquisitions that waited for a worker to be made.")),
      acquisitions(counters(registry, "capsule_pool_acquisitions_total", "Workers handed out; hits and misses.")),
      exhausted(counters(registry, "capsule_pool_exhausted_total", "Acquisitions that ended without a worker.")),
      recycled(counters(registry, "capsule_workers_recycled_total", "Workers ended, by reason.")),
      restarts(counters(registry, "capsule_zygote_restarts_total", "Zygotes replaced, by reason.")),
      warmup_triggers(counters(registry, "capsule_pool_warmup_triggers_total",
                               "Times the stock fell below its target; once until it is full again.")),
      health_triggers(counters(registry, "capsule_pool_health_triggers_total",
                               "Times a health check fell due; once until it is over.")),
      health_checks(counters(registry, "capsule_pool_health_checks_total",
                             "Checks that ran Python in an idle worker, by outcome.")),
      max_reached(counters(registry, "capsule_pool_max_reached_total",
                           "Times as many workers as there may be came to be in use.")),
      workers(gauges(registry, "capsule_workers", "Workers, by state.")),
      capsules_ready(gauges(registry, "capsule_capsules_ready", "Sandboxes in stock that have no worker yet.")),
      waiting(gauges(registry, "capsule_pool_waiting", "Runs and sessions waiting for a worker.")),
      hit_ratio(gauges(registry, "capsule_pool_hit_ratio", "Hits among all acquisitions since start; 0 before any.")),
      acquire_max(gauges(registry, "capsule_pool_acquire_max_seconds", "The longest acquisition since start.")),
      breaker_open(gauges(registry, "capsule_breaker_open", "1 while a profile rests after too many early deaths.")),
      pool_warm(gauges(registry, "capsule_pool_warm_target", "Ready workers to keep in stock.")),
      pool_min(gauges(registry, "capsule_pool_min", "What the stock shrinks to when nobody asks for workers.")),
      pool_max(gauges(registry, "capsule_pool_max", "Workers of the profile at most.")),
      profile_ready(gauges(registry, "capsule_profile_ready", "1 while workers of the profile can be made.")),
      worker_memory(gauges(registry, "capsule_worker_memory_bytes",
                           "Memory of workers: what each has for itself, and what it shares with others.")),
      acquire(histograms(registry, "capsule_pool_acquire_seconds", "Time from asking for a worker to having one.")),
      uptime(gauge(registry, "capsule_uptime_seconds", "Time since the manager started.")),
      state_size(gauge(registry, "capsule_state_filesystem_size_bytes",
                       "Size of the file system that records, audit logs and checkpoints are on; 0: unknown.")),
      state_available(
          gauge(registry, "capsule_state_filesystem_available_bytes", "What the manager may still use of it.")),
      runs_in_progress(gauge(registry, "capsule_runs_in_progress", "Runs that hold a worker or wait for one.")),
      runs_awaited(counter(registry, "capsule_runs_awaited_total", "Runs that had top-level await.")),
      blocking_calls(counter(registry, "capsule_async_blocking_calls_total",
                             "Times such code held its own event loop for longer than 0.1 s.")),
      run_duration(histograms(registry, "capsule_run_duration_seconds", "Time from start of a run to its verdict.")
                       .Add({}, kRunBuckets)),
      queue_wait(histograms(registry, "capsule_run_queue_wait_seconds", "Time from acceptance of a run to its start.")
                     .Add({}, kWaitBuckets)),
      run_duration_exemplars(kRunBuckets),
      queue_wait_exemplars(kWaitBuckets),
      queue_wait_max(gauge(registry, "capsule_run_queue_wait_max_seconds", "The longest queue wait since start.")),
      queue_oldest_wait(
          gauge(registry, "capsule_queue_oldest_wait_seconds", "How long the run that waits longest has waited.")),
      queue_depth(gauge(registry, "capsule_queue_depth", "Runs accepted and not yet taken off the queue.")),
      queue_capacity(gauge(registry, "capsule_queue_capacity", "Runs the queue can hold.")),
      queue_rejected(counters(registry, "capsule_queue_rejected_total", "Runs turned away, by reason."), "reason"),
      runs_slow(counter(registry, "capsule_runs_slow_total", "Runs that lasted longer than run.slow_after_s.")),
      heartbeats(counter(registry, "capsule_heartbeats_total", "Heartbeats received from workers.")),
      heartbeat_suspects(counter(registry, "capsule_heartbeat_suspects_total",
                                 "Times a worker missed enough heartbeats to be suspect.")),
      heartbeat_losses(
          counter(registry, "capsule_heartbeat_losses_total", "Workers killed because their heartbeats stopped.")),
      cancels(counters(registry, "capsule_cancels_total", "Runs that were told to end, by reason."), "reason"),
      cancel_rungs(counters(registry, "capsule_cancel_rungs_total", "Runs ended by the ladder, by the rung it took."),
                   "rung"),
      cancels_without_effect(counter(registry, "capsule_cancels_without_effect_total",
                                     "Cancel requests for runs that were over or unknown.")),
      interrupts(counter(registry, "capsule_interrupts_total", "Interrupts sent to programs.")),
      interrupts_late(counter(registry, "capsule_interrupts_late_total",
                              "Interrupts that found their run's code gone and were dropped.")),
      output_chunks(counters(registry, "capsule_output_chunks_total", "Chunks read from programs, by stream."),
                    "stream"),
      output_bytes(counters(registry, "capsule_output_bytes_total", "Bytes read from programs, by stream."), "stream"),
      output_enqueued(counter(registry, "capsule_output_enqueued_bytes_total", "Output bytes queued for clients.")),
      output_sent(counter(registry, "capsule_output_sent_bytes_total", "Output bytes handed to client sockets.")),
      output_dropped(counter(registry, "capsule_output_dropped_bytes_total", "Output bytes over a run's limit.")),
      output_late(counter(registry, "capsule_output_late_bytes_total", "Output bytes written after their run ended.")),
      enqueued_chunks(counter(registry, "capsule_output_enqueued_chunks_total", "Output chunks queued for clients.")),
      sent_chunks(
          counter(registry, "capsule_output_sent_chunks_total", "Output chunks handed whole to client sockets.")),
      dropped_chunks(counter(registry, "capsule_output_dropped_chunks_total",
                             "Output chunks of which bytes were over a run's limit.")),
      output_queue_deepest(
          gauge(registry, "capsule_output_queue_deepest_bytes", "Most unsent output of one client since start.")),
      output_drain_timeouts(counter(registry, "capsule_output_drain_timeouts_total",
                                    "Clients that took nothing for too long and were closed.")),
      open_streams(gauge(registry, "capsule_open_streams", "Streams of programs that are open now.")),
      frames(by_direction(counters(registry, "capsule_frames_total", "Frames, by direction and type."))),
      frame_bytes(by_direction(counters(registry, "capsule_frame_bytes_total",
                                        "Bytes of frames with their headers, by direction and type."))),
      frame_errors(counters(registry, "capsule_frame_errors_total", "Frames that broke the protocol."), "socket"),
      requests(counters(registry, "capsule_requests_total", "Requests of clients over the socket, by type."), "type"),
      request_errors(counters(registry, "capsule_request_errors_total",
                              "Requests that were answered with an error, and connections that broke the protocol."),
                     "code"),
      request_seconds(histograms(registry, "capsule_request_seconds", "Time from a request to its answer.")
                          .Add({}, kAnswerBuckets)),
      rate_limit_asks(counter(registry, "capsule_rate_limit_acquires_total", "Frames that asked the rate limits.")),
      rate_limit_waits(
          counter(registry, "capsule_rate_limit_waits_total", "Times a client was made to wait by its rate limits.")),
      rate_limit_wait_seconds(counter(registry, "capsule_rate_limit_wait_seconds_total",
                                      "Time clients were made to wait by their rate limits.")),
      rate_limit_wakes(
          counter(registry, "capsule_rate_limit_wakeups_total", "Clients that were read again after such a wait.")),
      client_connections(gauge(registry, "capsule_clients_connected", "Clients connected now.")),
      client_connections_total(counters(registry, "capsule_client_connections_total", "Connections, by outcome."),
                               "outcome"),
      file_bytes(counters(registry, "capsule_file_bytes_total",
                          "Bytes of files received for workspaces and sent out of them, by direction."),
                 "direction"),
      files_skipped(counter(registry, "capsule_files_skipped_total", "Files in workspaces that were not read.")),
      proxy_requests(counters(registry, "capsule_proxy_requests_total",
                              "Requests of programs to the proxy of their capsule, by outcome."),
                     "outcome"),
      denials(counters(registry, "capsule_sandbox_denials_total",
                       "What the sandbox refused to programs, by mechanism, as far as the manager sees it."),
              "mechanism"),
      sessions_closed(counters(registry, "capsule_sessions_closed_total", "Sessions that ended, by reason."), "reason"),
      snapshots(counters(registry, "capsule_snapshots_total", "Snapshots of sessions, by outcome."), "outcome"),
      snapshots_evicted(counter(registry, "capsule_snapshots_evicted_total",
                                "Snapshots that were given up because memory ran short.")),
      forks(counters(registry, "capsule_forks_total", "Forks of sessions that were asked for, by outcome."), "outcome"),
      fork_starts(counters(registry, "capsule_fork_starts_total", "Copies for forks, by what was there in advance."),
                  "start"),
      rollbacks(counters(registry, "capsule_rollbacks_total", "Times a session went back, by what it went back to."),
                "to"),
      snapshot_seconds(histograms(registry, "capsule_snapshot_seconds", "Time a worker was busy copying itself.")
                           .Add({}, kStepBuckets)),
      fork_seconds(histograms(registry, "capsule_fork_seconds",
                              "Time from a request for forks of a session until they were ready, by request.")
                       .Add({}, kStepBuckets)),
      rollback_seconds(
          histograms(registry, "capsule_rollback_seconds", "Time from the end of a session's worker to its readiness.")
              .Add({}, kStepBuckets)),
      snapshot_memory(gauge(registry, "capsule_snapshot_memory_bytes",
                            "Memory that parked copies have for themselves, as of the latest look at each.")),
      checkpoints(by_work(counters(registry, "capsule_checkpoints_total",
                                   "Durable checkpoints that were saved or restored, by outcome."))),
      checkpoint_bytes(counters(registry, "capsule_checkpoint_bytes_total", "Their bytes, before compression."),
                       "operation"),
      checkpoint_seconds(counters(registry, "capsule_checkpoint_seconds_total", "Time that took."), "operation"),
      record_appends(counters(registry, "capsule_record_appends_total", "Writes to the log of runs, by what they say."),
                     "what"),
      record_append_bytes(counters(registry, "capsule_record_append_bytes_total", "Bytes written to the log of runs."),
                          "what"),
      record_lost(counters(registry, "capsule_record_appends_lost_total",
                           "Writes to the log of runs that failed and were given up."),
                  "what"),
      records_expired(counter(registry, "capsule_records_expired_total", "Records of runs removed by retention.")),
      records_aborted(counter(registry, "capsule_records_aborted_total",
                              "Runs of an earlier manager that were completed as aborted.")),
      records(gauge(registry, "capsule_records", "Runs there are records of.")),
      record_bytes(gauge(registry, "capsule_record_bytes", "Size of the records of runs.")),
      record_backlog(gauge(registry, "capsule_record_backlog_bytes",
                           "Bytes of the log of runs that have not become records yet.")),
      rulings(counters(registry, "capsule_admission_decisions_total", "What admission said to runs."), "decision"),
      policy_violations(counters(registry, "capsule_policy_violations_total",
                                 "Requests and programs that tried what a policy forbids, by policy."),
                        "policy"),
      audit_records(counters(registry, "capsule_audit_records_total", "Lines written to the audit logs, by log."),
                    "log"),
      audit_bytes(counters(registry, "capsule_audit_bytes_total", "Bytes written to the audit logs, by log."), "log"),
      audit_lost(counters(registry, "capsule_audit_records_lost_total",
                          "Records that a full queue or a full disk kept from the audit logs, by log."),
                 "log"),
      audit_damages(counters(registry, "capsule_audit_damages_total",
                             "Times that an audit log was not as the manager had left it, by log."),
                    "log"),
      audit_queue(gauge(registry, "capsule_audit_queue_records", "Records on their way to the audit logs.")),
      spans(counters(registry, "capsule_trace_spans_total", "Spans of runs, by what became of them."), "outcome"),
      span_export_failures(counter(registry, "capsule_trace_export_failures_total",
                                   "Requests to the collector that failed; most are tried again.")),
      spans_waiting(gauge(registry, "capsule_trace_spans_waiting", "Spans that the collector has not taken yet.")),
      http_requests(by_request(
          counters(registry, "capsule_http_requests_total", "HTTP requests, by method, route and class of the code."))),
      http_seconds(histograms(registry, "capsule_http_request_seconds", "Time to make the answer to an HTTP request.")
                       .Add({}, kAnswerBuckets)),
      log_messages(counters(registry, "capsule_log_messages_total", "Log records written, by level."), "level"),
      log_lost(
          counter(registry, "capsule_log_lines_lost_total", "Log records that stderr's reader did not take in time.")),
      user_metrics_dropped(counters(registry, "capsule_program_metrics_dropped_total",
                                    "Figures of programs that were not taken, by reason."),
                           "reason"),
      user_series(gauge(registry, "capsule_program_metric_series", "Series of programs' own figures.")) {
  gauges(registry, "capsule_build_info", "Always 1; what was built.")
      .Add({{"version", std::string(version)}, {"protocol", std::to_string(kProtocolVersion)}})
      .Set(1);
  gauge(registry, "capsule_start_time_seconds", "When the manager started, in seconds since 1970.")
      .Set(static_cast<double>(started_wall_ms) / 1000);
  auto& steps = histograms(registry, "capsule_worker_spawn_seconds", "Time of each step towards a ready worker.");
  for (const label::SpawnStep step : label::kAllSpawnSteps) {
    spawn_steps[static_cast<size_t>(step)] = &steps.Add({{"step", std::string(to_string(step))}}, kStepBuckets);
  }
  auto& sessions = gauges(registry, "capsule_sessions", "Sessions, by state.");
  sessions_starting = &sessions.Add({{"state", "starting"}});
  sessions_ready = &sessions.Add({{"state", "ready"}});
  sessions_busy = &sessions.Add({{"state", "busy"}});
  sessions_rolled_back = &sessions.Add({{"state", "rolled_back"}});
  auto& degraded = gauges(registry, "capsule_evidence_degraded", "1 while it is not kept, though it should be.");
  for (const label::Evidence what : label::kAllEvidence) {
    evidence_degraded[static_cast<size_t>(what)] = &degraded.Add({{"what", std::string(to_string(what))}});
  }
  auto& layer_counts = gauges(registry, "capsule_sandbox_layers", "Layers of the sandbox, by state.");
  for (const label::LayerState state : label::kAllLayerStates) {
    layers[static_cast<size_t>(state)] = &layer_counts.Add({{"state", std::string(to_string(state))}});
  }
  auto& parked = gauges(registry, "capsule_snapshots_parked", "Parked copies of workers, by kind.");
  snapshots_parked = &parked.Add({{"kind", "snapshot"}});
  checkpoints_parked = &parked.Add({{"kind", "checkpoint"}});
  profiles.reserve(kMaxProfiles + 1);
}

ProfileSeries Metrics::Families::make_profile(std::string name) {
  const prometheus::Labels labels{{"profile", name}};
  const auto in_state = [&](const char* state) { return &workers.Add({{"profile", name}, {"state", state}}); };
  ProfileSeries series;
  series.runs_created = &runs_created.Add(labels);
  series.runs = {runs, "verdict", labels};
  series.workers_starting = in_state("starting");
  series.workers_idle = in_state("idle");
  series.workers_leased = in_state("leased");
  series.workers_retiring = in_state("retiring");
  series.capsules_ready = &capsules_ready.Add(labels);
  series.waiting = &waiting.Add(labels);
  series.pool_warm = &pool_warm.Add(labels);
  series.pool_min = &pool_min.Add(labels);
  series.pool_max = &pool_max.Add(labels);
  series.ready = &profile_ready.Add(labels);
  series.private_memory = &worker_memory.Add({{"profile", name}, {"kind", "private"}});
  series.shared_memory = &worker_memory.Add({{"profile", name}, {"kind", "shared"}});
  series.max_reached = &max_reached.Add(labels);
  series.hits = &hits.Add(labels);
  series.misses = &misses.Add(labels);
  series.acquisitions = &acquisitions.Add(labels);
  series.exhausted = &exhausted.Add(labels);
  series.hit_ratio = &hit_ratio.Add(labels);
  series.acquire_max = &acquire_max.Add(labels);
  series.acquire = &acquire.Add(labels, kStepBuckets);
  series.recycled = {recycled, "reason", labels};
  series.restarts = {restarts, "reason", labels};
  series.warmup_triggers = &warmup_triggers.Add(labels);
  series.health_triggers = &health_triggers.Add(labels);
  series.health_checks = {health_checks, "outcome", labels};
  series.breaker_open = &breaker_open.Add(labels);
  series.name = std::move(name);
  return series;
}

}  // namespace capsule
