#include "manager/observe/user_metrics.h"

#include <stdio.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "manager/observe/metrics.h"
#include "protocol/limits.h"
#include "protocol/process_messages.h"

namespace capsule {
namespace {

using label::UserMetricDrop;

constexpr int kOnlyTaste = 3;  // promtool's status for names it reads and does not like; 1 is what it cannot read

Metric counter(std::string name, double value = 1, std::map<std::string, std::string> labels = {}) {
  return {"run", std::move(name), "counter", value, std::move(labels)};
}
Metric gauge(std::string name, double value = 1, std::map<std::string, std::string> labels = {}) {
  return {"run", std::move(name), "gauge", value, std::move(labels)};
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST_CASE("a program's counter adds up, its gauge is the latest value", "[user_metrics]") {
  Metrics metrics("0.1.0", 0);
  metrics.user_metric(counter("llm_tokens", 17, {{"model", "m"}}));
  metrics.user_metric(counter("llm_tokens_total", 3, {{"model", "m"}}));
  metrics.user_metric(counter("llm_tokens", 5, {{"model", "other"}}));
  metrics.user_metric(gauge("loss", 0.5));
  metrics.user_metric(gauge("loss", 0.25));
  const std::string text = metrics.expose();
  CHECK(has_line(text, "# TYPE capsule_user_llm_tokens_total counter"));
  CHECK(has_line(text, "capsule_user_llm_tokens_total{model=\"m\"} 20"));
  CHECK(has_line(text, "capsule_user_llm_tokens_total{model=\"other\"} 5"));
  CHECK(has_line(text, "capsule_user_loss 0.25"));
  CHECK(has_line(text, "capsule_program_metric_series 3"));
  const std::string open = metrics.expose(MetricsFormat::kOpenMetrics);
  CHECK(has_line(open, "# TYPE capsule_user_llm_tokens counter"));
  CHECK(has_line(open, "capsule_user_llm_tokens_total{model=\"m\"} 20"));
}

TEST_CASE("names that no scrape could read are refused", "[user_metrics]") {
  UserMetrics figures;
  for (const char* name : {"", "9lives", "Tokens", "a-b", "a b", "__a", "a\nb 1", "a{b=\"c\"}", "a_count", "a_sum",
                           "a_bucket", "a_created", "a_info", "_total", "a_total_total", "ä"}) {
    INFO(name);
    CHECK(figures.take(counter(name)) == UserMetricDrop::kInvalid);
  }
  CHECK(figures.take(gauge("a_total")) == UserMetricDrop::kInvalid);
  CHECK(figures.take(counter(std::string(limits::kMetricNameBytes + 1, 'a'))) == UserMetricDrop::kInvalid);
  CHECK_FALSE(figures.take(counter(std::string(limits::kMetricNameBytes, 'a'))));
  CHECK(figures.series() == 1);
}

TEST_CASE("labels that no scrape could read are refused", "[user_metrics]") {
  UserMetrics figures;
  const auto with = [](std::string key, std::string value) {
    return counter("a", 1, {{std::move(key), std::move(value)}});
  };
  for (const char* key : {"", "le", "quantile", "__name__", "A", "a-b"})
    CHECK(figures.take(with(key, "x")) == UserMetricDrop::kInvalid);
  const std::string zero("a\0b", 3);
  for (const std::string& value : {std::string(), std::string("a\nb"), zero, std::string("\xff"),
                                   std::string(limits::kMetricLabelBytes + 1, 'a')}) {
    CHECK(figures.take(with("a", value)) == UserMetricDrop::kInvalid);
  }
  CHECK(figures.take(counter("a", 1, {{"a", "1"}, {"b", "1"}, {"c", "1"}, {"d", "1"}, {"e", "1"}})) ==
        UserMetricDrop::kInvalid);
  CHECK_FALSE(figures.take(with("a", "quotes \" and \\ and {braces}, ünïcode")));
}

TEST_CASE("a counter does not fall, and no value is without end", "[user_metrics]") {
  UserMetrics figures;
  CHECK(figures.take(counter("a", -1)) == UserMetricDrop::kInvalid);
  CHECK(figures.take(counter("a", std::numeric_limits<double>::infinity())) == UserMetricDrop::kInvalid);
  CHECK(figures.take(gauge("b", std::nan(""))) == UserMetricDrop::kInvalid);
  CHECK_FALSE(figures.take(counter("a", std::numeric_limits<double>::max())));
  CHECK(figures.take(counter("a", std::numeric_limits<double>::max())) == UserMetricDrop::kInvalid);
  CHECK_FALSE(figures.take(gauge("b", -5)));
}

TEST_CASE("a name keeps the kind it had first", "[user_metrics]") {
  UserMetrics figures;
  CHECK_FALSE(figures.take(counter("a")));
  CHECK(figures.take(gauge("a")) == UserMetricDrop::kInvalid);
  CHECK(figures.take({"run", "a", "histogram", 1, {}}) == UserMetricDrop::kInvalid);
}

TEST_CASE("names and series are limited, and what is there goes on", "[user_metrics]") {
  UserMetrics figures;
  figures.set_limits({2, 3});
  CHECK_FALSE(figures.take(counter("a", 1, {{"l", "1"}})));
  CHECK_FALSE(figures.take(counter("b")));
  CHECK(figures.take(counter("c")) == UserMetricDrop::kFull);
  CHECK_FALSE(figures.take(counter("a", 1, {{"l", "2"}})));
  CHECK(figures.take(counter("a", 1, {{"l", "3"}})) == UserMetricDrop::kFull);
  CHECK_FALSE(figures.take(counter("a", 1, {{"l", "2"}})));
  CHECK(figures.series() == 3);
  figures.set_limits({0, 0});
  CHECK_FALSE(figures.take(counter("b")));
  CHECK(figures.series() == 3);
}

TEST_CASE("what is left out is counted by its reason", "[user_metrics]") {
  Metrics metrics("0.1.0", 0);
  metrics.user_metric(counter("A"));
  metrics.user_metric(counter("a", -1));
  metrics.user_metric_dropped(UserMetricDrop::kRate);
  const std::string text = metrics.expose();
  CHECK(has_line(text, "capsule_program_metrics_dropped_total{reason=\"invalid\"} 2"));
  CHECK(has_line(text, "capsule_program_metrics_dropped_total{reason=\"rate\"} 1"));
}

// Names, labels and values of random bytes, of which the grammar lets some through.
std::string random_text(std::mt19937& random) {
  constexpr std::string_view kLikely = "ab_09\"\\{}=,# \n";
  std::string text;
  for (size_t length = random() % 6; length > 0; --length) {
    text += random() % 8 == 0 ? static_cast<char>(random()) : kLikely[random() % kLikely.size()];
  }
  return text;
}

TEST_CASE("whatever programs send, promtool reads the scrape", "[user_metrics]") {
  Metrics metrics("0.1.0", 0);
  metrics.set_user_metric_limits(1000, 1000);
  std::mt19937 random(20261122);
  for (int i = 0; i < 20'000; ++i) {
    Metric metric{
        "run", random_text(random), random() % 2 == 0 ? "counter" : "gauge", static_cast<double>(random()), {}};
    for (size_t labels = random() % 3; labels > 0; --labels) metric.labels[random_text(random)] = random_text(random);
    metrics.user_metric(metric);
  }
  const std::string text = metrics.expose();
  CHECK(text.find("capsule_user_") != std::string::npos);
  FILE* const promtool = popen("/usr/bin/promtool check metrics >/dev/null 2>&1", "w");
  REQUIRE(promtool != nullptr);
  CHECK(fwrite(text.data(), 1, text.size(), promtool) == text.size());
  const int status = pclose(promtool);
  REQUIRE(WIFEXITED(status));
  CHECK((WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kOnlyTaste));
}

}  // namespace
}  // namespace capsule
