// A small HTTP server for looking at the manager: GET /metrics, GET /health, GET /. Read-only, loopback only, no
// authentication: whoever may open a socket on this machine may read the metrics, and nothing else.
//
// Lives in the manager's io_context and on its thread. Connections beyond the limit are closed at accept; a request
// with more than kHeaderBytes of header or kBodyBytes of body is refused; a peer that takes longer than the deadline
// for a request (waiting for its first byte included) or for taking an answer is cut off. A Host that is not a loopback
// name is refused, so that a web page cannot read this through a name of its own that resolves to 127.0.0.1.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace boost::asio {
class io_context;
}

namespace capsule {

struct Health {
  std::string state;     // "starting", "ready", "draining"
  bool serving = false;  // true: 200, false: 503
};

// Called on the loop, once per request; must not block or throw.
struct HttpHandlers {
  std::function<std::string()> metrics;
  std::function<Health()> health;
};

struct HttpLimits {
  size_t connections = 32;
  milliseconds deadline{10'000};
};

class HttpExporter {
 public:
  static constexpr size_t kHeaderBytes = 8 * 1024;
  static constexpr size_t kBodyBytes = 1024;

  // "127.0.0.1:9123", "[::1]:9123", "localhost:9123"; port 0 picks a free one. Anything that is not loopback is an
  // error, as is a port that is taken.
  static Result<std::shared_ptr<HttpExporter>> listen(boost::asio::io_context& loop, std::string_view address,
                                                      HttpHandlers handlers, HttpLimits limits = {});
  ~HttpExporter();
  HttpExporter(const HttpExporter&) = delete;
  HttpExporter& operator=(const HttpExporter&) = delete;

  // Where it listens, with the real port: "127.0.0.1:40123".
  std::string address() const;

  // Stops listening and cuts all connections; the loop then has nothing left of it. Also done by the destructor.
  void close();

 private:
  struct Server;
  explicit HttpExporter(std::shared_ptr<Server> server);
  std::shared_ptr<Server> server_;
};

}  // namespace capsule
