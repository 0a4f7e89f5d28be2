// Posts bodies to an OTLP/HTTP collector. Blocking: for a thread of its own. Plain HTTP only: whoever needs TLS has a
// collector or a proxy on this machine that speaks it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace capsule {

struct OtlpEndpoint {
  std::string host, port, path;
  std::vector<std::pair<std::string, std::string>> headers;

  std::string authority() const;  // "127.0.0.1:4318", "[::1]:4318"
};

// "http://127.0.0.1:4318" (then the path is /v1/traces) or with a path of its own. `headers` as in
// OTEL_EXPORTER_OTLP_HEADERS: "name=value,name=value", values in percent-encoding.
Result<OtlpEndpoint> parse_otlp_endpoint(std::string_view url, std::string_view headers);

// What a collector said.
struct OtlpReply {
  unsigned status = 0;
  std::optional<seconds> retry_after;
  std::string body;  // empty when it is longer than kReplyBytes
};

class OtlpSender {
 public:
  static constexpr size_t kReplyBytes = 64u << 10;

  explicit OtlpSender(OtlpEndpoint endpoint);
  ~OtlpSender();
  OtlpSender(const OtlpSender&) = delete;
  OtlpSender& operator=(const OtlpSender&) = delete;

  // kTimedOut, kClosed (interrupted), or what the system says.
  Result<OtlpReply> post(const std::string& body, Duration deadline);
  // From any thread: the call under way ends now, later ones at once. A name that is being looked up is waited for.
  void interrupt();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace capsule
