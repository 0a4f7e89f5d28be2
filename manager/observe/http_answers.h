// What the HTTP listener says to which request. Pure; the sockets are in http_exporter.cc.
#pragma once

#include <optional>
#include <string>

#include "manager/observe/http_exporter.h"

namespace capsule {

struct HttpQuestion {
  std::string method;
  std::string target;
  std::optional<std::string> host;  // empty when there is none, or more than one
  bool host_is_required = true;     // HTTP/1.1
  std::string accept = {};          // the header, or empty
  std::string authorization = {};   // the same
  std::string api_key = {};         // X-API-Key
};

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type;
  std::string body;
  label::HttpMethod method = label::HttpMethod::kOther;
  label::HttpRoute route = label::HttpRoute::kOther;
  std::string_view path = {};               // of the page, a literal; empty with HttpRoute::kOther
  std::optional<seconds> cpu_profile = {};  // the rest of the answer is such a profile: profile_answer()
  std::optional<KeyRuling> key = {};        // what the key was worth, where one is needed
  bool wants_proof = false;                 // the rest of the answer is health_answer(), once Python has run
};

HttpAnswer answer_http(const HttpQuestion& question, const HttpHandlers& handlers);

HttpAnswer health_answer(label::HttpRoute route, const Health& health);

// A profile, or why there is none.
HttpAnswer profile_answer(const Result<std::string>& profile);

// "localhost", "127.x.y.z" and "[::1]", each with or without a port.
bool is_loopback_host(std::string_view host);

// By the Accept header: OpenMetrics where it is wanted at least as much as plain text.
MetricsFormat choose_metrics_format(std::string_view accept);

// 1 to kRequestIdBytes letters, digits, `.`, `_`, `-` and `:`: what may go into a log line as it is.
bool is_request_id(std::string_view text);

}  // namespace capsule
