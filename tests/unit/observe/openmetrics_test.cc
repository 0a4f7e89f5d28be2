#include "manager/observe/openmetrics.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <sstream>

#include "manager/observe/metrics.h"
#include "protocol/process_messages.h"

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
  CHECK(open.find("# TYPE capsule_runs_accepted counter\n") != std::string::npos);
  CHECK(open.find("capsule_runs_accepted_total{profile=\"base\"} 1\n") != std::string::npos);
  CHECK(metrics.expose().find("capsule_runs_accepted_total{profile=\"base\"} 1\n") != std::string::npos);
  CHECK(metrics.expose().find("# EOF") == std::string::npos);
}

// The specification: the name of a family must not be one that a sample of another family could have.
TEST_CASE("no family has a name that another one could have, in either format", "[openmetrics]") {
  const std::map<std::string, std::vector<std::string>> endings{
      {"counter", {"", "_total", "_created"}},
      {"gauge", {""}},
      {"histogram", {"", "_bucket", "_count", "_sum", "_created"}}};
  Metrics metrics("0.1.0", 0);
  metrics.register_profile("base");
  metrics.user_metric({"r", "tokens", "counter", 1, {}});
  metrics.user_metric({"r", "tokens", "gauge", 1, {}});
  metrics.user_metric({"r", "tokens_created", "gauge", 1, {}});
  for (const MetricsFormat format : {MetricsFormat::kText, MetricsFormat::kOpenMetrics}) {
    std::istringstream text(metrics.expose(format));
    std::set<std::string> seen;
    size_t families = 0;
    for (std::string line; std::getline(text, line);) {
      std::istringstream words(line);
      std::string hash, keyword, name, type;
      words >> hash >> keyword >> name >> type;
      if (hash != "#" || keyword != "TYPE") continue;
      ++families;
      if (name.ends_with("_total")) name.resize(name.size() - 6);  // as the other format names it
      CAPTURE(name, type);
      for (const std::string& ending : endings.at(type)) CHECK(seen.insert(name + ending).second);
    }
    CHECK(families > 100);
  }
}

}  // namespace capsule
