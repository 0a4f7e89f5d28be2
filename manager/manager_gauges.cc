// What is read when somebody looks at the metrics, and not before.
#include <sys/statvfs.h>

#include "manager/manager.h"

namespace capsule {
namespace {

LayerCounts count_layers(const std::vector<Layer>& layers) {
  LayerCounts counts;
  for (const Layer& layer : layers) {
    if (layer.state == "on") {
      ++counts.on;
    } else {
      ++(layer.state == "degraded" ? counts.degraded : counts.off);
    }
  }
  return counts;
}

}  // namespace

void Manager::set_metric_limits() {
  metrics_.set_user_metric_limits(options_.config.metrics.user_names, options_.config.metrics.user_series);
}

void Manager::refresh_gauges() {
  metrics_.set_uptime(now() - facts_.started_at);
  for (const auto& [name, pool] : pools_) {
    const PoolConfig& config = pool->profile().settings.pool;
    metrics_.set_workers(pool->handle(), pool->worker_counts());
    metrics_.set_capsules_ready(pool->handle(), pool->view().ready_capsules);
    metrics_.set_pool_waiting(pool->handle(), pool->waiting());
    metrics_.set_pool_targets(pool->handle(),
                              {config.warm, config.min, config.max, pool->state() == Pool::State::kReady});
    metrics_.set_worker_memory(pool->handle(), memory_.look(*pool));
  }
  if (const auto chosen = pools_.find(facts_.default_profile); chosen != pools_.end()) {
    metrics_.set_layers(count_layers(chosen->second->layers()));
  }
  metrics_.set_sessions(sessions_.counts());
  const auto [snapshots, checkpoints] = sessions_.parked();
  metrics_.set_snapshots(snapshots, checkpoints);
  metrics_.set_snapshot_memory(memory_.look(sessions_));
  metrics_.set_queue(dispatcher_.scheduler().depth(), options_.config.queue.capacity);
  metrics_.set_oldest_wait(dispatcher_.scheduler().oldest_wait(now()));
  metrics_.set_runs_in_progress(dispatcher_.scheduler().running());
  size_t streams = 0;
  for (const auto& [id, driver] : dispatcher_.drivers()) streams += driver->open_streams();
  metrics_.set_open_streams(streams);
  struct statvfs found {};
  const std::string& place = options_.records_dir.empty() ? options_.scratch_dir : options_.records_dir;
  if (!place.empty() && statvfs(place.c_str(), &found) == 0) {
    metrics_.set_state_filesystem(uint64_t{found.f_blocks} * found.f_frsize, uint64_t{found.f_bavail} * found.f_frsize);
  }
  trail_.refresh_gauges();
  metrics_.set_evidence(label::Evidence::kRecords, {records_.is_degraded()});
  traces_.refresh_gauges();
  metrics_.set_log_lines_lost(log_lines_lost());
}

}  // namespace capsule
