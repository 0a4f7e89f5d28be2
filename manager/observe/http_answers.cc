#include "manager/observe/http_answers.h"

#include <arpa/inet.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace capsule {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kIndex =
    "Capsule manager\n"
    "/metrics  Prometheus metrics\n"
    "/health   200 while runs are accepted, else 503\n";

HttpAnswer health_answer(const Health& health) {
  const nlohmann::json document{{"state", health.state}};
  return {health.serving ? 200u : 503u, "application/json",
          document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  if (host.starts_with("[")) {
    const size_t end = host.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view rest = host.substr(end + 1);
    return host.substr(0, end + 1) == "[::1]" && (rest.empty() || rest.front() == ':');
  }
  std::string name(host.substr(0, host.find(':')));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (name == "localhost") return true;
  in_addr address{};
  return inet_pton(AF_INET, name.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

HttpAnswer answer_http(const HttpQuestion& question, const HttpHandlers& handlers) {
  if (!question.host && question.host_is_required) return {400, kText, "one Host header is required\n"};
  if (question.host && !is_loopback_host(*question.host)) return {421, kText, "this Host is not served here\n"};
  if (question.method != "GET" && question.method != "HEAD") return {405, kText, "only GET and HEAD\n"};
  const std::string path = question.target.substr(0, question.target.find('?'));
  if (path == "/metrics") return {200, "text/plain; version=0.0.4; charset=utf-8", handlers.metrics()};
  if (path == "/health") return health_answer(handlers.health());
  if (path == "/") return {200, kText, kIndex};
  return {404, kText, "not found\n"};
}

}  // namespace capsule
