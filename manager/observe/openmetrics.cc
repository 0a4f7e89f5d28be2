#include "manager/observe/openmetrics.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace capsule {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view kTotal = "_total";

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

// `{a="x",le="1"}`; empty without labels.
std::string labels_of(const ClientMetric& metric, std::string_view bound = {}) {
  std::string text;
  const auto add = [&text](std::string_view name, std::string_view value) {
    text += text.empty() ? "{" : ",";
    text.append(name).append("=\"").append(escaped(value)).append("\"");
  };
  for (const auto& label : metric.label) add(label.name, label.value);
  if (!bound.empty()) add("le", bound);
  return text.empty() ? text : text + "}";
}

void add_sample(std::string& text, std::string_view name, const std::string& labels, const std::string& value) {
  text.append(name).append(labels).append(" ").append(value).append("\n");
}

// Bounds are numbers with a point, so that "1" and "1.0" cannot be two series.
std::string bound_text(double bound) {
  const std::string text = number(bound);
  return text.find_first_of(".eI") == std::string::npos ? text + ".0" : text;
}

// ` # {trace_id="..."} 0.067 1520879607.789`
std::string exemplar_text(const Exemplar* exemplar) {
  if (exemplar == nullptr) return {};
  const std::string millis = std::to_string(1000 + exemplar->wall_ms % 1000).substr(1);
  return " # {trace_id=\"" + exemplar->trace_id + "\"} " + number(exemplar->value) + " " +
         std::to_string(exemplar->wall_ms / 1000) + "." + millis;
}

void add_histogram(std::string& text, const std::string& name, const ClientMetric& metric,
                   const BucketExemplars* exemplars) {
  for (size_t i = 0; i < metric.histogram.bucket.size(); ++i) {
    const auto& bucket = metric.histogram.bucket[i];
    add_sample(
        text, name + "_bucket", labels_of(metric, bound_text(bucket.upper_bound)),
        std::to_string(bucket.cumulative_count) + exemplar_text(exemplars == nullptr ? nullptr : exemplars->at(i)));
  }
  add_sample(text, name + "_count", labels_of(metric), std::to_string(metric.histogram.sample_count));
  add_sample(text, name + "_sum", labels_of(metric), number(metric.histogram.sample_sum));
}

void add_family(std::string& text, const MetricFamily& family, const Exemplars& exemplars) {
  std::string name = family.name;
  const bool is_counter = family.type == MetricType::Counter;
  if (is_counter && name.ends_with(kTotal)) name.resize(name.size() - kTotal.size());
  const char* type = is_counter ? "counter" : family.type == MetricType::Histogram ? "histogram" : "gauge";
  text.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  if (!family.help.empty()) text.append("# HELP ").append(name).append(" ").append(escaped(family.help)).append("\n");
  for (const ClientMetric& metric : family.metric) {
    if (family.type == MetricType::Histogram) {
      const auto found = exemplars.find(name);
      add_histogram(text, name, metric, found == exemplars.end() ? nullptr : found->second);
    } else {
      add_sample(text, is_counter ? name + std::string(kTotal) : name, labels_of(metric),
                 number(is_counter ? metric.counter.value : metric.gauge.value));
    }
  }
}

}  // namespace

std::string openmetrics_text(const std::vector<MetricFamily>& families, const Exemplars& exemplars) {
  std::string text;
  for (const MetricFamily& family : families) add_family(text, family, exemplars);
  return text + "# EOF\n";
}

}  // namespace capsule
