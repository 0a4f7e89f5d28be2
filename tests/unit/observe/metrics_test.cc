#include "manager/observe/metrics.h"

#include <stdio.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "protocol/verdict.h"

namespace capsule {
namespace {

constexpr int64_t kStartedMs = 1'700'000'000'000;

Metrics make_metrics() { return Metrics("0.1.0", kStartedMs); }

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_CASE("every label value of a profile exists at 0 as soon as the profile is registered", "[metrics]") {
  Metrics metrics("0.1.0", kStartedMs);
  metrics.register_profile("data");
  const std::string text = metrics.expose();
  for (const Verdict verdict : kAllVerdicts) {
    CHECK(has_line(text, "capsule_runs_total{profile=\"data\",verdict=\"" + std::string(to_string(verdict)) + "\"} 0"));
  }
  for (const label::Recycle reason : label::kAllRecycles) {
    CHECK(has_line(
        text, "capsule_workers_recycled_total{profile=\"data\",reason=\"" + std::string(to_string(reason)) + "\"} 0"));
  }
  CHECK(has_line(text, "capsule_workers{profile=\"data\",state=\"idle\"} 0"));
}

TEST_CASE("label words are distinct and not empty", "[metrics]") {
  const auto check = [](const auto& all) {
    for (size_t i = 0; i < all.size(); ++i) {
      CHECK_FALSE(to_string(all[i]).empty());
      CHECK(static_cast<size_t>(all[i]) == i);
      for (size_t j = 0; j < i; ++j) CHECK(to_string(all[i]) != to_string(all[j]));
    }
  };
  check(label::kAllRejections);
  check(label::kAllRecycles);
  check(label::kAllZygoteRestarts);
  check(label::kAllHealthOutcomes);
  check(label::kAllSpawnSteps);
  check(label::kAllCancelReasons);
  check(label::kAllRungs);
  check(label::kAllStreams);
  check(label::kAllDirections);
  check(label::kAllSockets);
  check(label::kAllConnections);
  check(label::kAllProxyOutcomes);
  check(label::kAllSessionCloses);
  check(label::kAllFrames);
  check(label::kAllRequests);
  check(label::kAllErrorCodes);
  check(label::kAllCheckpointWorks);
  check(label::kAllCheckpointOutcomes);
  check(label::kAllDenials);
  check(label::kAllLayerStates);
  check(label::kAllUserMetricDrops);
  check(label::kAllPolicies);
  check(label::kAllRulings);
  check(label::kAllHttpMethods);
  check(label::kAllHttpRoutes);
  check(label::kAllAuditLogKinds);
  check(label::kAllRecorded);
  check(label::kAllSnapshots);
  check(label::kAllForks);
  check(label::kAllRollbacks);
  check(kAllLogLevels);
  check(kAllVerdicts);
}

TEST_CASE("build and start are told", "[metrics]") {
  const std::string text = make_metrics().expose();
  CHECK(has_line(text, "capsule_build_info{protocol=\"1\",version=\"0.1.0\"} 1"));
  CHECK(has_line(text, "capsule_start_time_seconds 1700000000"));
}

TEST_CASE("a run that never reached a worker has a verdict and no duration", "[metrics]") {
  Metrics metrics("0.1.0", kStartedMs);
  const ProfileHandle base = metrics.register_profile("base");
  metrics.run_created(base);
  metrics.run_created(base);
  metrics.run_started(milliseconds(3));
  metrics.run_finished(base, Verdict::kOk, milliseconds(1500));
  metrics.run_finished(base, Verdict::kCancelled, std::nullopt);
  const std::string text = metrics.expose();
  CHECK(has_line(text, "capsule_runs_accepted_total{profile=\"base\"} 2"));
  CHECK(has_line(text, "capsule_runs_total{profile=\"base\",verdict=\"ok\"} 1"));
  CHECK(has_line(text, "capsule_runs_total{profile=\"base\",verdict=\"cancelled\"} 1"));
  CHECK(has_line(text, "capsule_run_duration_seconds_count 1"));
  CHECK(has_line(text, "capsule_run_duration_seconds_sum 1.5"));
  CHECK(has_line(text, "capsule_run_duration_seconds_bucket{le=\"1\"} 0"));
  CHECK(has_line(text, "capsule_run_duration_seconds_bucket{le=\"2\"} 1"));
  CHECK(has_line(text, "capsule_run_queue_wait_seconds_count 1"));
}

TEST_CASE("acquisitions are hits and misses; ratio, mean and maximum follow", "[metrics]") {
  Metrics metrics("0.1.0", kStartedMs);
  const ProfileHandle data = metrics.register_profile("data");
  CHECK(metrics.pool_totals(data).hit_ratio == 0);
  CHECK(metrics.pool_totals(data).acquire_mean_s == 0);
  metrics.pool_acquired(data, label::Lease::kHit, milliseconds(1));
  metrics.pool_acquired(data, label::Lease::kHit, milliseconds(1));
  metrics.pool_acquired(data, label::Lease::kHit, milliseconds(2));
  metrics.pool_acquired(data, label::Lease::kMiss, milliseconds(16));
  metrics.pool_exhausted(data);
  metrics.worker_recycled(data, label::Recycle::kUsed);
  metrics.zygote_restarted(data, label::ZygoteRestart::kDied);
  metrics.zygote_restarted(data, label::ZygoteRestart::kAge);
  metrics.health_checked(data, label::HealthOutcome::kOk);
  metrics.health_checked(data, label::HealthOutcome::kFailed);
  const PoolTotals totals = metrics.pool_totals(data);
  CHECK(totals.hits == 3);
  CHECK(totals.misses == 1);
  CHECK(totals.acquisitions == 4);
  CHECK(totals.exhausted == 1);
  CHECK(totals.hit_ratio == Approx(0.75));
  CHECK(totals.acquire_mean_s == Approx(0.005));
  CHECK(totals.acquire_max_s == Approx(0.016));
  CHECK(totals.restarts == 2);
  CHECK(totals.health_checks == 2);
  REQUIRE(totals.recycles.size() == label::kAllRecycles.size());
  CHECK(totals.recycles.front() == std::pair<std::string_view, uint64_t>("used", 1));
  CHECK(has_line(metrics.expose(), "capsule_pool_hit_ratio{profile=\"data\"} 0.75"));
}

TEST_CASE("profiles are counted apart, and the same name is the same profile", "[metrics]") {
  Metrics metrics("0.1.0", kStartedMs);
  const ProfileHandle base = metrics.register_profile("base");
  const ProfileHandle data = metrics.register_profile("data");
  CHECK(base.index != data.index);
  CHECK(metrics.register_profile("base").index == base.index);
  metrics.run_created(data);
  CHECK(has_line(metrics.expose(), "capsule_runs_accepted_total{profile=\"base\"} 0"));
  CHECK(has_line(metrics.expose(), "capsule_runs_accepted_total{profile=\"data\"} 1"));
}

TEST_CASE("profiles beyond the limit share one label", "[metrics]") {
  Metrics metrics("0.1.0", kStartedMs);
  for (size_t i = 0; i < Metrics::kMaxProfiles; ++i) metrics.register_profile("p" + std::to_string(i));
  const ProfileHandle first = metrics.register_profile("surplus-a");
  const ProfileHandle second = metrics.register_profile("surplus-b");
  CHECK(first.index == second.index);
  metrics.run_created(first);
  metrics.run_created(second);
  const std::string text = metrics.expose();
  CHECK(has_line(text, "capsule_runs_accepted_total{profile=\"other\"} 2"));
  CHECK(text.find("surplus") == std::string::npos);
  CHECK(metrics.register_profile("p0").index == 0);
}

TEST_CASE("the deepest output queue is kept", "[metrics]") {
  Metrics metrics("0.1.0", kStartedMs);
  metrics.output_queue_depth(100);
  metrics.output_queue_depth(7000);
  metrics.output_queue_depth(5);
  CHECK(has_line(metrics.expose(), "capsule_output_queue_deepest_bytes 7000"));
}

TEST_CASE("output and frames are counted in pieces and bytes", "[metrics]") {
  Metrics metrics("0.1.0", kStartedMs);
  metrics.output_chunk(label::Stream::kStderr, 10);
  metrics.output_chunk(label::Stream::kStderr, 5);
  metrics.frame(label::Direction::kSent, label::Frame::kExecute, 64);
  metrics.frame(label::Direction::kSent, label::Frame::kHeartbeat, 5);  // which only workers send
  metrics.rate_limit_waited(milliseconds(250));
  const std::string text = metrics.expose();
  CHECK(has_line(text, "capsule_output_chunks_total{stream=\"stderr\"} 2"));
  CHECK(has_line(text, "capsule_output_bytes_total{stream=\"stderr\"} 15"));
  CHECK(has_line(text, "capsule_output_bytes_total{stream=\"stdout\"} 0"));
  CHECK(has_line(text, "capsule_frames_total{direction=\"sent\",type=\"execute\"} 1"));
  CHECK(has_line(text, "capsule_frame_bytes_total{direction=\"sent\",type=\"execute\"} 64"));
  CHECK(has_line(text, "capsule_frame_bytes_total{direction=\"received\",type=\"execute\"} 0"));
  CHECK(has_line(text, "capsule_frame_bytes_total{direction=\"sent\",type=\"other\"} 5"));
  CHECK(has_line(text, "capsule_rate_limit_wait_seconds_total 0.25"));
}

TEST_CASE("counts beyond 32 bits are exact", "[metrics]") {
  Metrics metrics("0.1.0", kStartedMs);
  metrics.output_sent(1, 5'000'000'001);
  CHECK(has_line(metrics.expose(), "capsule_output_sent_bytes_total 5000000001"));
}

TEST_CASE("the longest queue wait is kept, and the oldest wait is of now", "[metrics]") {
  Metrics metrics("0.1.0", kStartedMs);
  metrics.run_started(milliseconds(1500));
  metrics.run_started(milliseconds(3));
  metrics.set_oldest_wait(milliseconds(4000));
  metrics.set_oldest_wait(milliseconds(250));
  const std::string text = metrics.expose();
  CHECK(has_line(text, "capsule_run_queue_wait_max_seconds 1.5"));
  CHECK(has_line(text, "capsule_queue_oldest_wait_seconds 0.25"));
}

TEST_CASE("a pool's targets, its memory and its fate are its profile's", "[metrics]") {
  Metrics metrics("0.1.0", kStartedMs);
  const ProfileHandle base = metrics.register_profile("base"), data = metrics.register_profile("data");
  metrics.set_pool_targets(base, {4, 1, 64, true});
  metrics.set_worker_memory(data, {1000, 2000});
  metrics.pool_max_reached(data);
  const std::string text = metrics.expose();
  CHECK(has_line(text, "capsule_pool_warm_target{profile=\"base\"} 4"));
  CHECK(has_line(text, "capsule_pool_min{profile=\"base\"} 1"));
  CHECK(has_line(text, "capsule_pool_max{profile=\"base\"} 64"));
  CHECK(has_line(text, "capsule_profile_ready{profile=\"base\"} 1"));
  CHECK(has_line(text, "capsule_profile_ready{profile=\"data\"} 0"));
  CHECK(has_line(text, "capsule_worker_memory_bytes{kind=\"private\",profile=\"data\"} 1000"));
  CHECK(has_line(text, "capsule_worker_memory_bytes{kind=\"shared\",profile=\"data\"} 2000"));
  CHECK(has_line(text, "capsule_pool_max_reached_total{profile=\"data\"} 1"));
}

TEST_CASE("requests, their errors and the time to their answers are counted", "[metrics]") {
  Metrics metrics("0.1.0", kStartedMs);
  metrics.requested(label::Request::kExecute);
  metrics.request_answered(milliseconds(3));
  metrics.request_failed(Errc::kNotFound);
  metrics.rate_limit_asked();
  metrics.rate_limit_woke();
  const std::string text = metrics.expose();
  CHECK(has_line(text, "capsule_requests_total{type=\"execute\"} 1"));
  CHECK(has_line(text, "capsule_requests_total{type=\"tap\"} 0"));
  CHECK(has_line(text, "capsule_request_errors_total{code=\"not_found\"} 1"));
  CHECK(has_line(text, "capsule_request_seconds_bucket{le=\"0.002\"} 0"));
  CHECK(has_line(text, "capsule_request_seconds_bucket{le=\"0.01\"} 1"));
  CHECK(has_line(text, "capsule_rate_limit_acquires_total 1"));
  CHECK(has_line(text, "capsule_rate_limit_wakeups_total 1"));
}

TEST_CASE("checkpoints count their time and bytes when they are done", "[metrics]") {
  using label::CheckpointOutcome;
  using label::CheckpointWork;
  Metrics metrics("0.1.0", kStartedMs);
  metrics.checkpointed(CheckpointWork::kSave, CheckpointOutcome::kDone, milliseconds(500), 7000);
  metrics.checkpointed(CheckpointWork::kSave, CheckpointOutcome::kFailed, milliseconds(9000), 1);
  metrics.checkpointed(CheckpointWork::kRestore, CheckpointOutcome::kDone, milliseconds(250), 7000);
  const std::string text = metrics.expose();
  CHECK(has_line(text, "capsule_checkpoints_total{operation=\"save\",outcome=\"done\"} 1"));
  CHECK(has_line(text, "capsule_checkpoints_total{operation=\"save\",outcome=\"failed\"} 1"));
  CHECK(has_line(text, "capsule_checkpoint_seconds_total{operation=\"save\"} 0.5"));
  CHECK(has_line(text, "capsule_checkpoint_bytes_total{operation=\"restore\"} 7000"));
}

TEST_CASE("what the proxy denies is a denial of the sandbox", "[metrics]") {
  Metrics metrics("0.1.0", kStartedMs);
  metrics.proxy_request(label::ProxyOutcome::kDenied);
  metrics.proxy_request(label::ProxyOutcome::kFailed);
  metrics.sandbox_denied(label::Denial::kMemory, 3);
  metrics.set_layers({9, 1, 2});
  const std::string text = metrics.expose();
  CHECK(has_line(text, "capsule_sandbox_denials_total{mechanism=\"network\"} 1"));
  CHECK(has_line(text, "capsule_sandbox_denials_total{mechanism=\"memory\"} 3"));
  CHECK(has_line(text, "capsule_sandbox_denials_total{mechanism=\"seccomp\"} 0"));
  CHECK(has_line(text, "capsule_sandbox_layers{state=\"degraded\"} 1"));
}

TEST_CASE("the process's own numbers are in", "[metrics]") {
  const std::string text = make_metrics().expose();
  for (const char* name :
       {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes", "process_threads",
        "process_start_time_seconds", "process_open_fds", "process_max_fds", "process_virtual_memory_max_bytes"}) {
    INFO(name);
    CHECK(count_of(text, "\n" + std::string(name) + " ") == 1);
  }
}

TEST_CASE("promtool finds nothing to say about the names", "[metrics]") {
  INFO("promtool is in Debian's package prometheus: scripts/install-dependencies --for-tests");
  REQUIRE(access("/usr/bin/promtool", X_OK) == 0);
  Metrics metrics("0.1.0", kStartedMs);
  metrics.register_profile("base");
  FILE* const promtool = popen("/usr/bin/promtool check metrics 2>&1", "w");
  REQUIRE(promtool != nullptr);
  const std::string text = metrics.expose();
  CHECK(fwrite(text.data(), 1, text.size(), promtool) == text.size());
  CHECK(pclose(promtool) == 0);
}

}  // namespace
}  // namespace capsule
