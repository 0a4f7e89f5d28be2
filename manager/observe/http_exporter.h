// A small HTTP server for looking at the manager: metrics, health and version for whoever may open a socket on this
// machine, the rest for who has an API key. Read-only, on loopback or a Unix socket. Paths: http_answers.cc.
//
// Lives in the manager's io_context and on its thread. A connection beyond the limit takes the place of the one that
// has kept us waiting longest, so that those who say nothing keep nobody out; where none does, it is closed. A request
// with more than kHeaderBytes of header or kBodyBytes of body is refused; a peer that takes longer than the deadline
// for a request (waiting for its first byte included) or for taking an answer is cut off. A Host that is not a loopback
// name is refused, so that a web page cannot read this through a name of its own that resolves to 127.0.0.1.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "manager/observe/labels.h"

namespace boost::asio {
class io_context;
}

namespace capsule {

struct Health {
  std::string state;     // "starting", "ready", "draining"
  bool serving = false;  // runs are taken
  // Since Python last ran a statement in a worker of the default profile that nobody has used; none: never, or its pool
  // cannot make workers now.
  std::optional<double> python_ran_s = {};
  std::string reason = {};  // why runs are refused although it is up, for people
};

// /health/ready needs a proof that is no older. Twice the standard pool.health_interval_s, so that a stock of workers
// brings it along.
inline constexpr double kProofSecondsMax = 60;

enum class MetricsFormat { kText, kOpenMetrics };

// What an API key is worth.
struct KeyRuling {
  enum class Outcome { kAllowed, kUnknown, kExpired, kTooMany } outcome = Outcome::kUnknown;
  std::string name;  // of the key; empty: unknown
};

// A request that was answered, for who counts and keeps records.
struct HttpExchange {
  label::HttpMethod method = label::HttpMethod::kOther;
  label::HttpRoute route = label::HttpRoute::kOther;
  unsigned status = 0;
  Duration took{};  // from the whole request to the answer; sending is not in it
  std::string request_id;
  std::optional<KeyRuling> key;  // the route needs one
  std::string traceparent;       // as it came; empty: none, or several
  std::string_view path = {};    // a literal; empty: one that is not in the list, or nobody looked
};

// Called on the loop, once per request; must not block or throw. Documents are JSON.
struct HttpHandlers {
  std::function<std::string(MetricsFormat)> metrics;
  std::function<Health()> health;
  // Has Python run, and tells the health afterwards, once, also when it came to nothing; for /health/ready when the
  // last time is too long ago. Empty: nothing can be done.
  std::function<void(std::function<void(Health)>)> prove = {};
  std::function<std::string()> version, golden_signals, info;
  // Profiles of the manager; empty: this build has none. That of the processor is told later, once.
  std::function<void(seconds, std::function<void(Result<std::string>)>)> cpu_profile = {};
  std::function<Result<std::string>()> heap_profile = {};
  std::function<KeyRuling(std::string_view key)> rule;
  std::function<void(const HttpExchange&)> on_answered;
};

struct HttpLimits {
  size_t connections = 32;
  milliseconds deadline{10'000};
};

class HttpExporter {
 public:
  static constexpr size_t kHeaderBytes = 8 * 1024;
  static constexpr size_t kBodyBytes = 1024;
  static constexpr size_t kRequestIdBytes = 128;

  // "127.0.0.1:9123", "[::1]:9123", "localhost:9123"; port 0 picks a free one. Anything that is not loopback is an
  // error, as is a port that is taken.
  static Result<std::shared_ptr<HttpExporter>> listen(boost::asio::io_context& loop, std::string_view address,
                                                      HttpHandlers handlers, HttpLimits limits = {});
  // The same on a Unix socket that is bound to `path` and listens.
  static Result<std::shared_ptr<HttpExporter>> serve(boost::asio::io_context& loop, UniqueFd listening,
                                                     std::string path, HttpHandlers handlers, HttpLimits limits = {});
  ~HttpExporter();
  HttpExporter(const HttpExporter&) = delete;
  HttpExporter& operator=(const HttpExporter&) = delete;

  // Where it listens, with the real port: "127.0.0.1:40123"; or the path. Empty once closed.
  std::string address() const;

  // Stops listening and cuts all connections; the loop then has nothing left of it. Also done by the destructor.
  void close();

 private:
  struct Server;
  explicit HttpExporter(std::shared_ptr<Server> server);
  std::shared_ptr<Server> server_;
};

}  // namespace capsule
