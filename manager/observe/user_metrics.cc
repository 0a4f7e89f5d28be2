#include "manager/observe/user_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/utf8.h"
#include "protocol/limits.h"
#include "protocol/process_messages.h"

namespace capsule {
namespace {

using label::UserMetricDrop;

constexpr const char* kPrefix = "capsule_user_";
constexpr std::string_view kTotal = "_total";
// What the text formats append to the names of families.
constexpr std::array<std::string_view, 6> kReserved{"_total", "_bucket", "_count", "_sum", "_created", "_info"};
// `le` and `quantile` have a meaning of their own.
constexpr std::array<std::string_view, 2> kReservedLabels{"le", "quantile"};

bool is_label_value(const std::string& value) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  return !value.empty() && value.size() <= limits::kMetricLabelBytes && is_valid_utf8(value) &&
         std::none_of(value.begin(), value.end(), is_control);
}

bool labels_are_good(const std::map<std::string, std::string>& labels) {
  if (labels.size() > limits::kMetricLabels) return false;
  return std::all_of(labels.begin(), labels.end(), [](const auto& label) {
    return is_user_metric_name(label.first) && is_label_value(label.second) &&
           std::find(kReservedLabels.begin(), kReservedLabels.end(), label.first) == kReservedLabels.end();
  });
}

}  // namespace

bool is_user_metric_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  const auto is_plain = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= limits::kMetricNameBytes && is_letter(name.front()) &&
         !name.starts_with("__") && std::all_of(name.begin(), name.end(), is_plain);
}

std::optional<UserMetricDrop> UserMetrics::take(const Metric& metric) {
  const bool is_counter = metric.kind == "counter";
  if (!is_counter && metric.kind != "gauge") return UserMetricDrop::kInvalid;
  std::string name = metric.name;
  if (is_counter && name.ends_with(kTotal)) name.resize(name.size() - kTotal.size());
  const bool is_reserved =
      std::any_of(kReserved.begin(), kReserved.end(), [&](std::string_view end) { return name.ends_with(end); });
  if (!is_user_metric_name(name) || is_reserved) return UserMetricDrop::kInvalid;
  if (!labels_are_good(metric.labels)) return UserMetricDrop::kInvalid;
  if (!std::isfinite(metric.value) || (is_counter && metric.value < 0)) return UserMetricDrop::kInvalid;

  const Kind kind = is_counter ? Kind::kCounter : Kind::kGauge;
  const auto found = figures_.find(name);
  if (found != figures_.end() && found->second.kind != kind) return UserMetricDrop::kInvalid;
  const bool is_known = found != figures_.end() && found->second.values.contains(metric.labels);
  if (!is_known && !has_room(found == figures_.end())) return UserMetricDrop::kFull;
  const double before = is_known ? found->second.values.at(metric.labels) : 0;
  const double after = is_counter ? before + metric.value : metric.value;
  if (!std::isfinite(after)) return UserMetricDrop::kInvalid;
  Figure& figure = figures_[name];
  figure.kind = kind;
  figure.values[metric.labels] = after;
  if (!is_known) ++series_;
  return std::nullopt;
}

bool UserMetrics::has_room(bool name_is_new) const {
  return series_ < limits_.series && (!name_is_new || figures_.size() < limits_.names);
}

std::vector<prometheus::MetricFamily> UserMetrics::collect() const {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& [name, figure] : figures_) {
    const bool is_counter = figure.kind == Kind::kCounter;
    prometheus::MetricFamily family;
    family.name = kPrefix + name + std::string(is_counter ? kTotal : "");
    family.help = "A figure of programs.";
    family.type = is_counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    for (const auto& [labels, value] : figure.values) {
      prometheus::ClientMetric sample;
      for (const auto& [key, text] : labels) sample.label.push_back({key, text});
      is_counter ? sample.counter.value = value : sample.gauge.value = value;
      family.metric.push_back(std::move(sample));
    }
    families.push_back(std::move(family));
  }
  return families;
}

}  // namespace capsule
