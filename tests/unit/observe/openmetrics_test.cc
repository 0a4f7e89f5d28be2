#include "manager/observe/openmetrics.h"

#include <catch2/catch.hpp>

#include "manager/observe/metrics.h"

namespace capsule {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric counter(double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = value;
  return metric;
}

}  // namespace

TEST_CASE("a counter's family has no _total, its samples have", "[openmetrics]") {
  const MetricFamily family{"capsule_x_total",
                            "How many \"x\"\nthere were.",
                            MetricType::Counter,
                            {counter(3), counter(0.5, {{"how", "a\"b\\c\n"}})}};
  CHECK(openmetrics_text({family}) ==
        "# TYPE capsule_x counter\n"
        "# HELP capsule_x How many \\\"x\\\"\\nthere were.\n"
        "capsule_x_total 3\n"
        "capsule_x_total{how=\"a\\\"b\\\\c\\n\"} 0.5\n"
        "# EOF\n");
}

TEST_CASE("histograms have float bounds, a count and a sum", "[openmetrics]") {
  ClientMetric metric;
  metric.histogram.sample_count = 3;
  metric.histogram.sample_sum = 1.25;
  metric.histogram.bucket = {{1, 0.5}, {2, 1}, {3, std::numeric_limits<double>::infinity()}};
  CHECK(openmetrics_text({{"h_seconds", "", MetricType::Histogram, {metric}}}) ==
        "# TYPE h_seconds histogram\n"
        "h_seconds_bucket{le=\"0.5\"} 1\n"
        "h_seconds_bucket{le=\"1.0\"} 2\n"
        "h_seconds_bucket{le=\"+Inf\"} 3\n"
        "h_seconds_count 3\n"
        "h_seconds_sum 1.25\n"
        "# EOF\n");
}

TEST_CASE("the manager's own metrics come in both formats with the same samples", "[openmetrics]") {
  Metrics metrics("0.1.0", 1'700'000'000'000);
  const ProfileHandle profile = metrics.register_profile("base");
  metrics.run_created(profile);
  const std::string open = metrics.expose(MetricsFormat::kOpenMetrics);
  CHECK(open.ends_with("\n# EOF\n"));
  CHECK(open.find("# TYPE capsule_runs_created counter\n") != std::string::npos);
  CHECK(open.find("capsule_runs_created_total{profile=\"base\"} 1\n") != std::string::npos);
  CHECK(metrics.expose().find("capsule_runs_created_total{profile=\"base\"} 1\n") != std::string::npos);
  CHECK(metrics.expose().find("# EOF") == std::string::npos);
}

}  // namespace capsule
