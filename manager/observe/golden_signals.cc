#include "manager/observe/golden_signals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;
using prometheus::ClientMetric;
using prometheus::MetricFamily;

const MetricFamily* find(const std::vector<MetricFamily>& families, std::string_view name) {
  const auto found = std::find_if(families.begin(), families.end(), [&](const auto& f) { return f.name == name; });
  return found == families.end() ? nullptr : &*found;
}

std::string_view label_of(const ClientMetric& metric, std::string_view name) {
  for (const auto& label : metric.label) {
    if (label.name == name) return label.value;
  }
  return {};
}

// All samples of a counter or gauge together, or those with one value of one label.
double sum(const std::vector<MetricFamily>& families, std::string_view name, std::string_view label = {},
           std::string_view value = {}) {
  const MetricFamily* family = find(families, name);
  double total = 0;
  if (family == nullptr) return total;
  for (const ClientMetric& metric : family->metric) {
    if (!label.empty() && label_of(metric, label) != value) continue;
    total += family->type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value;
  }
  return total;
}

Json latency(const std::vector<MetricFamily>& families, std::string_view name) {
  const MetricFamily* family = find(families, name);
  if (family == nullptr || family->metric.empty()) return nullptr;
  const ClientMetric::Histogram& histogram = family->metric.front().histogram;
  const auto quantile = [&](double q) {
    const double value = histogram_quantile(q, histogram);
    return std::isnan(value) ? Json(nullptr) : Json(value);
  };
  return {{"p50_s", quantile(0.5)},
          {"p95_s", quantile(0.95)},
          {"p99_s", quantile(0.99)},
          {"count", histogram.sample_count}};
}

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

}  // namespace

double histogram_quantile(double q, const ClientMetric::Histogram& histogram) {
  if (histogram.sample_count == 0) return std::numeric_limits<double>::quiet_NaN();
  const double rank = q * static_cast<double>(histogram.sample_count);
  double lower = 0, below = 0;
  for (const auto& bucket : histogram.bucket) {
    const auto count = static_cast<double>(bucket.cumulative_count);
    if (std::isinf(bucket.upper_bound)) return lower;
    if (count >= rank && count > below) {
      return lower + (bucket.upper_bound - lower) * (rank - below) / (count - below);
    }
    lower = bucket.upper_bound;
    below = count;
  }
  return lower;
}

std::string golden_signals_json(const std::vector<MetricFamily>& families, double uptime_s) {
  const double ended = sum(families, "capsule_runs_total");
  double ours = 0;
  for (const char* verdict : {"internal_error", "worker_lost", "rejected", "aborted"}) {
    ours += sum(families, "capsule_runs_total", "verdict", verdict);
  }
  const double leased = sum(families, "capsule_workers", "state", "leased");
  const double depth = sum(families, "capsule_queue_depth"), capacity = sum(families, "capsule_queue_capacity");
  const Json document = {
      {"v", 1},
      {"since_s", uptime_s},
      {"latency",
       {{"run", latency(families, "capsule_run_duration_seconds")},
        {"queue_wait", latency(families, "capsule_run_queue_wait_seconds")}}},
      {"traffic",
       {{"runs", sum(families, "capsule_runs_accepted_total")},
        {"runs_per_s", ratio(sum(families, "capsule_runs_accepted_total"), uptime_s)},
        {"in_progress", sum(families, "capsule_runs_in_progress")}}},
      {"errors",
       {{"ended", ended},
        {"not_ok_ratio", ratio(ended - sum(families, "capsule_runs_total", "verdict", "ok"), ended)},
        {"own_ratio", ratio(ours, ended)},
        {"refused", sum(families, "capsule_admission_decisions_total", "decision", "refused")}}},
      {"saturation", {{"queue_ratio", ratio(depth, capacity)}, {"queue_depth", depth}, {"workers_leased", leased}}}};
  return document.dump();
}

}  // namespace capsule
