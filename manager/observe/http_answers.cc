#include "manager/observe/http_answers.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace capsule {
namespace {

using label::HttpRoute;

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kJson = "application/json";
constexpr const char* kProfile = "application/octet-stream";
constexpr const char* kNoProfiles =
    "profiling is not built in: meson configure -Dpprof=true (libgoogle-perftools-dev)\n";
constexpr const char* kOpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr const char* kTextMetricsType = "text/plain; version=0.0.4; charset=utf-8";

enum class Access { kOpen, kWithKey };
struct Page {
  std::string_view path;
  HttpRoute route;
  Access access;
  std::string_view what;
};
constexpr std::array kPages{
    Page{"/metrics", HttpRoute::kMetrics, Access::kOpen, "Prometheus metrics; OpenMetrics by Accept"},
    Page{"/health/live", HttpRoute::kHealthLive, Access::kOpen, "200: the manager answers"},
    Page{"/health/ready", HttpRoute::kHealthReady, Access::kOpen, "200: runs are taken, and Python has run; else 503"},
    Page{"/health", HttpRoute::kHealth, Access::kOpen, "200 while runs are taken, else 503; with details"},
    Page{"/api/health", HttpRoute::kHealth, Access::kOpen, "the same"},
    Page{"/version", HttpRoute::kVersion, Access::kOpen, "version, commit, build time, Python, protocol"},
    Page{"/api/version", HttpRoute::kVersion, Access::kOpen, "the same"},
    Page{"/golden-signals", HttpRoute::kGoldenSignals, Access::kWithKey, "latency, traffic, errors, saturation"},
    Page{"/info", HttpRoute::kInfo, Access::kWithKey, "all that `capsule info` shows, of all users"},
    Page{"/debug/pprof/profile", HttpRoute::kCpuProfile, Access::kWithKey,
         "where the manager spends processor time in the next ?seconds=30, for google-pprof"},
    Page{"/debug/pprof/heap", HttpRoute::kHeapProfile, Access::kWithKey, "what it has allocated, for google-pprof"},
    Page{"/", HttpRoute::kIndex, Access::kWithKey, "this list"}};

const Page* find_page(std::string_view path) {
  const auto found = std::find_if(kPages.begin(), kPages.end(), [&](const Page& page) { return page.path == path; });
  return found == kPages.end() ? nullptr : &*found;
}

std::string index() {
  std::string text = "Capsule runs other people's Python in sandboxes. This is its manager; all of it is GET only.\n\n";
  for (const Page& page : kPages) {
    std::string path(page.path);
    path.resize(22, ' ');
    text.append(path).append(page.what).append(page.access == Access::kWithKey ? " (with an API key)\n" : "\n");
  }
  return text;
}

std::string json_text(const nlohmann::ordered_json& document) {
  return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

bool is_proven(const Health& health) { return health.python_ran_s && *health.python_ran_s <= kProofSecondsMax; }

HttpAnswer ready_answer(const HttpHandlers& handlers) {
  const Health health = handlers.health();
  HttpAnswer answer = health_answer(HttpRoute::kHealthReady, health);
  answer.wants_proof = health.serving && !is_proven(health) && handlers.prove;
  return answer;
}

// "?seconds=5"; 30 when it is not there, as other servers have it.
std::optional<seconds> profile_length(std::string_view target) {
  constexpr seconds kStandard{30}, kMax{60};
  constexpr std::string_view kName = "seconds=";
  const size_t query = target.find('?');
  if (query == target.npos) return kStandard;
  const std::string_view text = target.substr(query + 1);
  int64_t number = 0;
  if (!text.starts_with(kName)) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + kName.size(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number >= 1 && number <= kMax.count() ? std::optional(seconds(number)) : std::nullopt;
}

HttpAnswer cpu_profile_answer(const HttpQuestion& question, const HttpHandlers& handlers) {
  if (!handlers.cpu_profile) return {501, kText, kNoProfiles};
  const auto length = profile_length(question.target);
  if (!length) return {400, kText, "?seconds= is a number from 1 to 60\n"};
  HttpAnswer answer{200, kProfile, {}};
  if (question.method == "GET") answer.cpu_profile = length;
  return answer;
}

HttpAnswer page_answer(HttpRoute route, const HttpQuestion& question, const HttpHandlers& handlers) {
  switch (route) {
    case HttpRoute::kMetrics: {
      const MetricsFormat format = choose_metrics_format(question.accept);
      const bool open = format == MetricsFormat::kOpenMetrics;
      return {200, open ? kOpenMetricsType : kTextMetricsType, handlers.metrics(format)};
    }
    case HttpRoute::kHealthReady: return ready_answer(handlers);
    case HttpRoute::kHealthLive:
    case HttpRoute::kHealth: return health_answer(route, handlers.health());
    case HttpRoute::kVersion: return {200, kJson, handlers.version() + "\n"};
    case HttpRoute::kGoldenSignals: return {200, kJson, handlers.golden_signals() + "\n"};
    case HttpRoute::kInfo: return {200, kJson, handlers.info() + "\n"};
    case HttpRoute::kCpuProfile: return cpu_profile_answer(question, handlers);
    case HttpRoute::kHeapProfile:
      return handlers.heap_profile ? profile_answer(handlers.heap_profile()) : HttpAnswer{501, kText, kNoProfiles};
    case HttpRoute::kIndex: return {200, kText, index()};
    case HttpRoute::kOther: break;
  }
  return {404, kText, "not found; / has the list\n"};
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

// "Bearer KEY", or the key alone in X-API-Key.
std::string_view presented_key(const HttpQuestion& question) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string& text = question.authorization;
  if (text.size() <= kScheme.size()) return question.api_key;
  const bool is_bearer = std::equal(kScheme.begin(), kScheme.end(), text.begin(), [](char expected, char c) {
    return expected == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  });
  return is_bearer ? std::string_view(text).substr(kScheme.size()) : std::string_view(question.api_key);
}

HttpAnswer refused(const KeyRuling& ruling) {
  switch (ruling.outcome) {
    case KeyRuling::Outcome::kTooMany: return {429, kText, "more requests than this key may make in a minute\n"};
    case KeyRuling::Outcome::kExpired: return {401, kText, "this key has expired: capsule key new\n"};
    default:
      return {401, kText,
              "an API key is needed: Authorization: Bearer KEY (capsule key new NAME); "
              "/metrics, /health and /version need none\n"};
  }
}

// The weight of a media type in an Accept header (RFC 9110, 12.5.1); 0 when it is not there by name.
double weight_of(std::string_view accept, std::string_view type) {
  double best = 0;
  while (!accept.empty()) {
    const size_t comma = std::min(accept.find(','), accept.size());
    std::string item = lower_case(accept.substr(0, comma));  // types and the names of parameters have no case
    accept.remove_prefix(std::min(comma + 1, accept.size()));
    std::erase_if(item, [](char c) { return c == ' ' || c == '\t'; });
    if (!item.starts_with(type) || (item.size() > type.size() && item[type.size()] != ';')) continue;
    const size_t q = item.find(";q=");
    best = std::max(best, q == std::string::npos ? 1.0 : std::strtod(item.c_str() + q + 3, nullptr));
  }
  return best;
}

}  // namespace

HttpAnswer health_answer(HttpRoute route, const Health& health) {
  const bool python_ran = health.python_ran_s.has_value();
  nlohmann::ordered_json document = {{"state", route == HttpRoute::kHealthLive ? "live" : health.state}};
  if (route == HttpRoute::kHealthLive) return {200, kJson, json_text(document)};
  const bool ready = health.serving && is_proven(health);
  document["ready"] = ready;
  document["python_ran_s"] = python_ran ? nlohmann::ordered_json(*health.python_ran_s) : nlohmann::ordered_json();
  if (!health.reason.empty()) document["reason"] = health.reason;
  const bool good = route == HttpRoute::kHealthReady ? ready : health.serving;
  return {good ? 200u : 503u, kJson, json_text(document)};
}

HttpAnswer profile_answer(const Result<std::string>& profile) {
  if (profile) return {200, kProfile, *profile};
  return {profile.error().code == Errc::kConflict ? 409u : 503u, kText, profile.error().message + "\n"};
}

bool is_loopback_host(std::string_view host) {
  if (host.starts_with("[")) {
    const size_t end = host.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view rest = host.substr(end + 1);
    return host.substr(0, end + 1) == "[::1]" && (rest.empty() || rest.front() == ':');
  }
  const std::string name = lower_case(host.substr(0, host.find(':')));
  if (name == "localhost") return true;
  in_addr address{};
  return inet_pton(AF_INET, name.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

MetricsFormat choose_metrics_format(std::string_view accept) {
  const double open = weight_of(accept, "application/openmetrics-text");
  return open > 0 && open >= weight_of(accept, "text/plain") ? MetricsFormat::kOpenMetrics : MetricsFormat::kText;
}

bool is_request_id(std::string_view text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-' || c == ':';
  };
  return !text.empty() && text.size() <= HttpExporter::kRequestIdBytes &&
         std::all_of(text.begin(), text.end(), is_plain);
}

HttpAnswer answer_http(const HttpQuestion& question, const HttpHandlers& handlers) {
  HttpAnswer answer;
  const label::HttpMethod method = question.method == "GET"    ? label::HttpMethod::kGet
                                   : question.method == "HEAD" ? label::HttpMethod::kHead
                                                               : label::HttpMethod::kOther;
  const Page* page = find_page(std::string_view(question.target).substr(0, question.target.find('?')));
  HttpRoute route = page == nullptr ? HttpRoute::kOther : page->route;
  std::optional<KeyRuling> ruling;
  if (!question.host && question.host_is_required) {
    answer = {400, kText, "one Host header is required\n"};
  } else if (question.host && !is_loopback_host(*question.host)) {
    answer = {421, kText, "this Host is not served here\n"};
  } else if (method == label::HttpMethod::kOther) {
    answer = {405, kText, "only GET and HEAD\n"};
  } else {
    if (page == nullptr || page->access == Access::kWithKey) ruling = handlers.rule(presented_key(question));
    const bool may = !ruling || ruling->outcome == KeyRuling::Outcome::kAllowed;
    answer = may ? page_answer(route, question, handlers) : refused(*ruling);
  }
  if (answer.status == 400 || answer.status == 421 || answer.status == 405) route = HttpRoute::kOther;  // nobody looked
  answer.method = method;
  answer.route = route;
  if (route != HttpRoute::kOther) answer.path = page->path;
  answer.key = std::move(ruling);
  return answer;
}

}  // namespace capsule
