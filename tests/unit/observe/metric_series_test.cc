// A scrape stays small whoever uses the manager and however.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "manager/observe/http_answers.h"
#include "manager/observe/metrics.h"
#include "protocol/process_messages.h"

namespace capsule {
namespace {

constexpr size_t kSeriesMax = 500;
constexpr int kUsers = 100'000;

// Samples are the lines that are no comments.
size_t series_in(const std::string& text) {
  size_t series = 0;
  for (size_t at = 0; at < text.size(); at = std::min(text.find('\n', at), text.size() - 1) + 1) {
    if (text[at] != '#') ++series;
  }
  return series;
}

std::string name(const char* what, int number) { return what + std::to_string(number); }

// Everything that a user can bring about, under another name each time.
void use(Metrics& metrics, ProfileHandle profile, int user) {
  metrics.run_created(profile);
  metrics.run_started(microseconds(user));
  metrics.run_finished(profile, kAllVerdicts[static_cast<size_t>(user) % kAllVerdicts.size()], milliseconds(user));
  for (const label::Frame type : label::kAllFrames) {
    metrics.frame(label::Direction::kReceived, type, 100);
    metrics.frame(label::Direction::kSent, type, 100);
  }
  metrics.user_metric({name("run-", user), "tokens", "counter", 1, {{"user", name("u", user)}}});
  metrics.user_metric({name("run-", user), name("metric_", user), "gauge", 1, {{"session", name("s", user)}}});
}

// Each error that a well-meaning peer may see; with HEAD there can be as many again.
void ask_wrongly(Metrics& metrics) {
  using label::HttpMethod;
  using label::HttpRoute;
  for (const HttpRoute route : {HttpRoute::kGoldenSignals, HttpRoute::kInfo, HttpRoute::kIndex, HttpRoute::kOther}) {
    metrics.http_answered(HttpMethod::kGet, route, 401, milliseconds(1));
  }
  for (const HttpRoute route : {HttpRoute::kHealth, HttpRoute::kHealthReady}) {
    metrics.http_answered(HttpMethod::kGet, route, 503, milliseconds(1));
  }
  for (const unsigned status : {400u, 404u, 421u}) {
    metrics.http_answered(HttpMethod::kGet, HttpRoute::kOther, status, milliseconds(1));
  }
  metrics.http_answered(HttpMethod::kOther, HttpRoute::kOther, 405, milliseconds(1));
}

TEST_CASE("a hundred thousand users, runs and sessions stay under five hundred series", "[metrics]") {
  Metrics metrics("0.1.0", 0);
  const ProfileHandle base = metrics.register_profile("base"), data = metrics.register_profile("data");
  const size_t before = series_in(metrics.expose());
  for (int user = 0; user < kUsers; ++user) use(metrics, user % 2 == 0 ? base : data, user);
  ask_wrongly(metrics);
  const std::string text = metrics.expose();
  const size_t after = series_in(text);
  INFO(before << " series before, " << after << " after");
  CHECK(after < kSeriesMax);
  CHECK(after == before + 24 + 10);  // metrics.user_series, and the answers to bad HTTP requests
  CHECK(text.find("u99999") == std::string::npos);
  CHECK(text.find("run-") == std::string::npos);
  CHECK(series_in(metrics.expose(MetricsFormat::kOpenMetrics)) == after);
}

}  // namespace
}  // namespace capsule
