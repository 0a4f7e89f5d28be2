#include "manager/net/http_head.h"

#include <algorithm>

#include "manager/config.h"

namespace capsule {
namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::string_view kLineEnd = "\r\n";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// Hop-by-hop fields (RFC 9110, section 7.6.1) end at the proxy.
bool ends_here(std::string_view line) {
  const std::string name = lower(line.substr(0, line.find(':')));
  return name == "connection" || name == "proxy-connection" || name == "keep-alive" || name == "proxy-authorization";
}

tl::unexpected<Error> bad(const char* what) { return failure(Errc::kInvalid, what); }

}  // namespace

std::optional<size_t> head_size(std::string_view bytes) {
  const size_t end = bytes.find("\r\n\r\n");
  return end == bytes.npos ? std::nullopt : std::optional(end + 4);
}

Result<ProxyRequest> parse_proxy_request(std::string_view head) {
  const size_t line_end = head.find(kLineEnd);
  if (line_end == head.npos) return bad("no request line");
  const std::string_view line = head.substr(0, line_end);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; };
  if (std::any_of(line.begin(), line.end(), is_control)) return bad("control characters");
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (first == line.npos || first == last || line.find(' ', first + 1) != last) return bad("not a request line");
  const std::string_view method = line.substr(0, first), target = line.substr(first + 1, last - first - 1);
  if (!line.substr(last + 1).starts_with("HTTP/1.")) return bad("not HTTP/1");
  ProxyRequest request;
  request.is_tunnel = method == "CONNECT";
  std::string_view authority = target, path;
  if (!request.is_tunnel) {
    if (lower(target.substr(0, kScheme.size())) != kScheme) return bad("neither CONNECT nor http://");
    authority = target.substr(kScheme.size());
    const size_t slash = std::min(authority.find_first_of("/?"), authority.size());
    path = authority.substr(slash);
    authority = authority.substr(0, slash);
  }
  const bool has_port = authority.rfind(':') != authority.npos && authority.back() != ']';
  const auto host = parse_allowed_host(has_port ? std::string(authority) : std::string(authority) + ":80");
  if (!host || (request.is_tunnel && !has_port)) return bad("not host:port");
  request.host = host->host;
  request.port = host->port;
  if (request.is_tunnel) return request;
  request.forwarded =
      std::string(method) + " " + (path.starts_with('/') ? "" : "/") + std::string(path) + " HTTP/1.1\r\n";
  for (size_t at = line_end + kLineEnd.size(); at < head.size();) {
    const size_t end = head.find(kLineEnd, at);
    if (end == head.npos || end == at) break;
    if (!ends_here(head.substr(at, end - at))) request.forwarded.append(head.substr(at, end - at)).append(kLineEnd);
    at = end + kLineEnd.size();
  }
  request.forwarded += "Connection: close\r\n\r\n";
  return request;
}

}  // namespace capsule
