// The metric objects behind Metrics: every name, help text, label and bucket, made once. Only metrics.cc and
// families.cc include this; nothing else sees prometheus-cpp.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "manager/observe/exemplars.h"
#include "manager/observe/labels.h"
#include "manager/observe/log.h"
#include "manager/observe/metrics.h"
#include "manager/observe/user_metrics.h"
#include "protocol/verdict.h"

namespace capsule {

// One counter per value of a label; `all` is the list of its values in the order of the enum.
template <const auto& all>
class CountersOf {
 public:
  using Label = typename std::remove_cvref_t<decltype(all)>::value_type;

  CountersOf() = default;
  CountersOf(prometheus::Family<prometheus::Counter>& family, const std::string& key,
             const prometheus::Labels& others = {}) {
    for (size_t i = 0; i < all.size(); ++i) {
      static_assert(static_cast<size_t>(all.back()) + 1 == all.size(), "the list has every value, in order");
      prometheus::Labels labels = others;
      labels.emplace(key, std::string(to_string(all[i])));
      counters_[i] = &family.Add(labels);
    }
  }
  prometheus::Counter& operator[](Label value) const { return *counters_[static_cast<size_t>(value)]; }
  double sum() const {
    double total = 0;
    for (const prometheus::Counter* counter : counters_) total += counter->Value();
    return total;
  }

 private:
  std::array<prometheus::Counter*, all.size()> counters_{};
};

// Indexed by method, then by route, then by the class of the code.
using HttpCounters =
    std::array<std::array<std::array<prometheus::Counter*, label::kAllHttpCodes.size()>, label::kAllHttpRoutes.size()>,
               label::kAllHttpMethods.size()>;

// What exists once per profile. Pointers are into the registry and live as long as it does.
struct ProfileSeries {
  std::string name;
  prometheus::Counter* runs_created = nullptr;
  CountersOf<kAllVerdicts> runs;
  prometheus::Gauge *workers_starting = nullptr, *workers_idle = nullptr, *workers_leased = nullptr,
                    *workers_retiring = nullptr;
  prometheus::Gauge* capsules_ready = nullptr;
  prometheus::Gauge* waiting = nullptr;
  prometheus::Gauge *pool_warm = nullptr, *pool_min = nullptr, *pool_max = nullptr, *ready = nullptr;
  prometheus::Gauge *private_memory = nullptr, *shared_memory = nullptr;
  prometheus::Counter* max_reached = nullptr;
  prometheus::Counter *hits = nullptr, *misses = nullptr, *acquisitions = nullptr, *exhausted = nullptr;
  prometheus::Gauge *hit_ratio = nullptr, *acquire_max = nullptr;
  prometheus::Histogram* acquire = nullptr;
  CountersOf<label::kAllRecycles> recycled;
  CountersOf<label::kAllZygoteRestarts> restarts;
  prometheus::Counter *warmup_triggers = nullptr, *health_triggers = nullptr;
  CountersOf<label::kAllHealthOutcomes> health_checks;
  prometheus::Gauge* breaker_open = nullptr;
};

struct Metrics::Families {
  Families(std::string_view version, int64_t started_wall_ms);
  ProfileSeries make_profile(std::string name);

  prometheus::Registry registry;
  std::vector<ProfileSeries> profiles;  // at most kMaxProfiles, and one more for "other"

  // Families with a profile label.
  prometheus::Family<prometheus::Counter>&runs_created, &runs, &hits, &misses, &acquisitions, &exhausted, &recycled,
      &restarts, &warmup_triggers, &health_triggers, &health_checks, &max_reached;
  prometheus::Family<prometheus::Gauge>&workers, &capsules_ready, &waiting, &hit_ratio, &acquire_max, &breaker_open,
      &pool_warm, &pool_min, &pool_max, &profile_ready, &worker_memory;
  prometheus::Family<prometheus::Histogram>& acquire;

  prometheus::Gauge &uptime, &state_size, &state_available;
  prometheus::Gauge& runs_in_progress;
  prometheus::Counter &runs_awaited, &blocking_calls;
  prometheus::Histogram &run_duration, &queue_wait;
  BucketExemplars run_duration_exemplars, queue_wait_exemplars;
  prometheus::Gauge &queue_wait_max, &queue_oldest_wait;
  prometheus::Gauge &queue_depth, &queue_capacity;
  CountersOf<label::kAllRejections> queue_rejected;
  std::array<prometheus::Histogram*, label::kAllSpawnSteps.size()> spawn_steps{};
  prometheus::Counter& runs_slow;
  prometheus::Counter &heartbeats, &heartbeat_suspects, &heartbeat_losses;
  CountersOf<label::kAllCancelReasons> cancels;
  CountersOf<label::kAllRungs> cancel_rungs;
  prometheus::Counter &cancels_without_effect, &interrupts, &interrupts_late;
  CountersOf<label::kAllStreams> output_chunks, output_bytes;
  prometheus::Counter &output_enqueued, &output_sent, &output_dropped, &output_late;  // bytes
  prometheus::Counter &enqueued_chunks, &sent_chunks, &dropped_chunks;
  prometheus::Gauge& output_queue_deepest;
  prometheus::Counter& output_drain_timeouts;
  prometheus::Gauge& open_streams;
  // Indexed by direction, then by type.
  using FrameCounters = std::array<std::array<prometheus::Counter*, label::kAllFrames.size()>, 2>;
  FrameCounters frames, frame_bytes;
  CountersOf<label::kAllSockets> frame_errors;
  CountersOf<label::kAllRequests> requests;
  CountersOf<label::kAllErrorCodes> request_errors;
  prometheus::Histogram& request_seconds;
  prometheus::Counter &rate_limit_asks, &rate_limit_waits, &rate_limit_wait_seconds, &rate_limit_wakes;
  prometheus::Gauge& client_connections;
  CountersOf<label::kAllConnections> client_connections_total;
  CountersOf<label::kAllDirections> file_bytes;
  prometheus::Counter& files_skipped;
  prometheus::Gauge *sessions_starting = nullptr, *sessions_ready = nullptr, *sessions_busy = nullptr,
                    *sessions_rolled_back = nullptr;
  CountersOf<label::kAllProxyOutcomes> proxy_requests;
  CountersOf<label::kAllDenials> denials;
  std::array<prometheus::Gauge*, label::kAllLayerStates.size()> layers{};
  CountersOf<label::kAllSessionCloses> sessions_closed;
  CountersOf<label::kAllSnapshots> snapshots;
  prometheus::Counter& snapshots_evicted;
  CountersOf<label::kAllForks> forks;
  CountersOf<label::kAllForkStarts> fork_starts;
  CountersOf<label::kAllRollbacks> rollbacks;
  prometheus::Histogram &snapshot_seconds, &fork_seconds, &rollback_seconds;
  prometheus::Gauge *snapshots_parked = nullptr, *checkpoints_parked = nullptr;
  prometheus::Gauge& snapshot_memory;
  std::array<CountersOf<label::kAllCheckpointOutcomes>, label::kAllCheckpointWorks.size()> checkpoints;
  CountersOf<label::kAllCheckpointWorks> checkpoint_bytes, checkpoint_seconds;
  CountersOf<label::kAllRecorded> record_appends, record_append_bytes, record_lost;
  prometheus::Counter &records_expired, &records_aborted;
  prometheus::Gauge &records, &record_bytes, &record_backlog;
  CountersOf<label::kAllRulings> rulings;
  CountersOf<label::kAllPolicies> policy_violations;
  CountersOf<label::kAllAuditLogKinds> audit_records, audit_bytes, audit_lost, audit_damages;
  prometheus::Gauge& audit_queue;
  CountersOf<label::kAllSpanOutcomes> spans;
  prometheus::Counter& span_export_failures;
  prometheus::Gauge& spans_waiting;
  HttpCounters http_requests;
  prometheus::Histogram& http_seconds;
  std::array<prometheus::Gauge*, label::kAllEvidence.size()> evidence_degraded{};
  CountersOf<kAllLogLevels> log_messages;
  prometheus::Counter& log_lost;
  CountersOf<label::kAllUserMetricDrops> user_metrics_dropped;
  prometheus::Gauge& user_series;
  UserMetrics user;
};

}  // namespace capsule
