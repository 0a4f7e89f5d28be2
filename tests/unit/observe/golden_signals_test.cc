#include "manager/observe/golden_signals.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "manager/observe/metrics.h"

namespace capsule {
namespace {

using Histogram = prometheus::ClientMetric::Histogram;

Histogram histogram(std::vector<std::pair<uint64_t, double>> buckets) {
  Histogram all;
  for (const auto& [count, bound] : buckets) all.bucket.push_back({count, bound});
  all.sample_count = buckets.empty() ? 0 : buckets.back().first;
  return all;
}

}  // namespace

TEST_CASE("quantiles of a histogram are those of histogram_quantile()", "[golden]") {
  const double infinity = std::numeric_limits<double>::infinity();
  const Histogram even = histogram({{10, 1}, {20, 2}, {20, infinity}});
  CHECK(histogram_quantile(0.5, even) == Approx(1.0));
  CHECK(histogram_quantile(0.25, even) == Approx(0.5));
  CHECK(histogram_quantile(0.75, even) == Approx(1.5));
  CHECK(histogram_quantile(0.99, histogram({{1, 1}, {1, 2}, {100, infinity}})) == 2);  // beyond the last finite bound
  CHECK(histogram_quantile(0.5, histogram({{0, 1}, {4, 3}, {4, infinity}})) == Approx(2.0));
  CHECK(std::isnan(histogram_quantile(0.5, histogram({{0, 1}, {0, infinity}}))));
}

TEST_CASE("the golden signals are those of the registry", "[golden]") {
  Metrics metrics("0.1.0", 0);
  const ProfileHandle profile = metrics.register_profile("base");
  for (int i = 0; i < 8; ++i) metrics.run_created(profile);
  for (int i = 0; i < 6; ++i) metrics.run_finished(profile, Verdict::kOk, milliseconds(15));
  metrics.run_finished(profile, Verdict::kException, milliseconds(15));
  metrics.run_finished(profile, Verdict::kAborted, std::nullopt);
  metrics.set_queue(3, 12);
  metrics.set_workers(profile, {0, 2, 5, 0});
  metrics.ruled(label::Ruling::kRefused);
  const auto signals = nlohmann::json::parse(metrics.golden_signals(seconds(4)));
  CHECK(signals["traffic"]["runs"] == 8);
  CHECK(signals["traffic"]["runs_per_s"] == 2);
  CHECK(signals["errors"]["own_ratio"] == 0.125);
  CHECK(signals["errors"]["not_ok_ratio"] == 0.25);
  CHECK(signals["errors"]["refused"] == 1);
  CHECK(signals["saturation"]["queue_ratio"] == 0.25);
  CHECK(signals["saturation"]["workers_leased"] == 5);
  CHECK(signals["latency"]["run"]["count"] == 7);
  CHECK(signals["latency"]["run"]["p50_s"].get<double>() == Approx(0.03));
  CHECK(signals["latency"]["queue_wait"]["p99_s"].is_null());
}

}  // namespace capsule
