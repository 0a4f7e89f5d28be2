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
};

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type;
  std::string body;
};

HttpAnswer answer_http(const HttpQuestion& question, const HttpHandlers& handlers);

// "localhost", "127.x.y.z" and "[::1]", each with or without a port.
bool is_loopback_host(std::string_view host);

}  // namespace capsule
