// The head of a request to the proxy: CONNECT, or any method with an absolute http:// target. Pure and strict: what is
// not plainly one of the two is refused. (RFC 9112, sections 2 and 3.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace capsule {

inline constexpr size_t kHttpHeadBytes = 16u << 10;

struct ProxyRequest {
  std::string host;  // lower case; an address without brackets
  uint16_t port = 0;
  bool is_tunnel = false;
  std::string forwarded;  // the head to send on; empty for a tunnel
};

// Bytes up to and with the empty line; nullopt while it is missing.
std::optional<size_t> head_size(std::string_view bytes);

// The forwarded head asks for the path alone and for the connection to be closed: one connection serves one target.
Result<ProxyRequest> parse_proxy_request(std::string_view head);

}  // namespace capsule
