// A scrape stays small whoever uses the manager and however.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "manager/config.h"
#include "manager/observe/labels.h"
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

// With every status there can be, of every method and route.
void ask_for_everything(Metrics& metrics) {
  for (const label::HttpMethod method : label::kAllHttpMethods) {
    for (const label::HttpRoute route : label::kAllHttpRoutes) {
      for (unsigned status = 100; status < 600; ++status) metrics.http_answered(method, route, status, milliseconds(1));
    }
  }
}

TEST_CASE("a hundred thousand users, runs and sessions, and all of HTTP, stay under five hundred series", "[metrics]") {
  const MetricsConfig limits = default_config().metrics;
  Metrics metrics("0.1.0", 0);
  metrics.set_user_metric_limits(limits.user_names, limits.user_series);
  const ProfileHandle base = metrics.register_profile("base"), data = metrics.register_profile("data");
  const size_t before = series_in(metrics.expose());
  ask_for_everything(metrics);
  CHECK(series_in(metrics.expose()) == before);
  for (int user = 0; user < kUsers; ++user) use(metrics, user % 2 == 0 ? base : data, user);
  const std::string text = metrics.expose();
  const size_t after = series_in(text);
  INFO(before << " series before, " << after << " after");
  CHECK(after < kSeriesMax);
  CHECK(after == before + limits.user_series);
  CHECK(text.find("u99999") == std::string::npos);
  CHECK(text.find("run-") == std::string::npos);
  CHECK(series_in(metrics.expose(MetricsFormat::kOpenMetrics)) == after);
}

TEST_CASE("an HTTP request is counted by its method, its route and the class of its code", "[metrics]") {
  using label::HttpMethod;
  using label::HttpRoute;
  Metrics metrics("0.1.0", 0);
  metrics.http_answered(HttpMethod::kGet, HttpRoute::kInfo, 200, milliseconds(1));
  metrics.http_answered(HttpMethod::kGet, HttpRoute::kInfo, 401, milliseconds(1));
  metrics.http_answered(HttpMethod::kGet, HttpRoute::kGoldenSignals, 429, milliseconds(1));
  metrics.http_answered(HttpMethod::kGet, HttpRoute::kHealthReady, 503, milliseconds(1));
  metrics.http_answered(HttpMethod::kHead, HttpRoute::kMetrics, 200, milliseconds(1));
  metrics.http_answered(HttpMethod::kOther, HttpRoute::kOther, 405, milliseconds(1));
  const std::string text = metrics.expose();
  const auto counted = [&text](const char* labels, int times) {
    return text.find("\ncapsule_http_requests_total{" + std::string(labels) + "} " + std::to_string(times) + "\n") !=
           std::string::npos;
  };
  CHECK(counted(R"(code="2xx",method="GET",route="/info")", 1));
  CHECK(counted(R"(code="4xx",method="GET",route="other")", 2));
  CHECK(counted(R"(code="5xx",method="GET",route="/health/ready")", 1));
  CHECK(counted(R"(code="2xx",method="HEAD",route="other")", 1));
  CHECK(counted(R"(code="4xx",method="other",route="other")", 1));
}

}  // namespace
}  // namespace capsule
