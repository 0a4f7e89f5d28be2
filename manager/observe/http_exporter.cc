#include "manager/observe/http_exporter.h"

#include <fcntl.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <optional>
#include <set>

#include "base/uuid7.h"
#include "manager/observe/http_answers.h"

namespace capsule {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using Streams = asio::generic::stream_protocol;  // TCP or Unix
using boost::system::error_code;

constexpr milliseconds kAcceptPause{100};  // after a failed accept: no descriptors, most likely

constexpr size_t kLingerBytes = 64 * 1024;

void close_on_exec(int fd) { fcntl(fd, F_SETFD, FD_CLOEXEC); }

Result<tcp::endpoint> parse_address(std::string_view text) {
  const auto wrong = [&](const char* why) {
    return failure(Errc::kInvalid, "HTTP address " + std::string(text) + why);
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong(": ADDRESS:PORT is expected");
  const std::string_view port_text = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size()) return wrong(": the port is not a number");
  std::string_view host = text.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  error_code not_an_address;
  const asio::ip::address address = asio::ip::make_address(std::string(host), not_an_address);
  if (not_an_address) return wrong(": not an IP address");
  if (!address.is_loopback()) return wrong(": only a loopback address is allowed, the listener has no authentication");
  return tcp::endpoint(address, port);
}

class Connection;

// What connections need of the server.
struct Shared {
  HttpHandlers handlers;
  HttpLimits limits;
  Uuid7Generator ids;
  std::set<std::shared_ptr<Connection>> connections;  // at most limits.connections
};

// One peer: reads a request, answers, until either side has had enough. Owned by Shared::connections.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Streams::socket socket, std::shared_ptr<Shared> shared)
      : stream_(std::move(socket)), buffer_(HttpExporter::kHeaderBytes + HttpExporter::kBodyBytes), shared_(shared) {}

  void read() {
    parser_.emplace();
    parser_->header_limit(HttpExporter::kHeaderBytes);
    parser_->body_limit(HttpExporter::kBodyBytes);
    request_id_.clear();
    traceparent_.clear();
    head_only_ = false;
    await_peer();
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](error_code error, size_t) { self->on_header(error); });
  }

  // For the peer to send a request or to take an answer; none: it waits for us.
  std::optional<TimePoint> waiting_since() const { return waiting_since_; }

  void cut() {
    error_code ignored;
    stream_.socket().shutdown(asio::socket_base::shutdown_both, ignored);
    stream_.close();
    shared_->connections.erase(shared_from_this());
  }

 private:
  // A client that asks before it sends its body gets the answer now (RFC 9110, 10.1.1): no body changes it.
  void on_header(error_code error) {
    if (!error && !is_coding_known()) return turn_away(501, "no transfer coding but chunked\n");
    if (error || parser_->is_done() || waits_to_continue()) return on_read(error);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](error_code body_error, size_t) { self->on_read(body_error); });
  }

  // Where a body in any other ends is not known (RFC 9112, 6.1): what follows might be taken for the next request.
  bool is_coding_known() const {
    const auto& request = parser_->get();
    const size_t codings = request.count(http::field::transfer_encoding);
    return codings == 0 || (codings == 1 && beast::iequals(request[http::field::transfer_encoding], "chunked"));
  }

  bool waits_to_continue() const {
    const auto& request = parser_->get();
    return request.version() >= 11 && beast::iequals(request[http::field::expect], "100-continue");
  }

  void await_peer() {
    waiting_since_ = now();
    stream_.expires_after(shared_->limits.deadline);
  }

  void on_read(error_code error) {
    waiting_since_.reset();
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return turn_away(431, "header too large\n");
    }
    if (error == http::error::body_limit) {
      return turn_away(413, "no body is expected\n");
    }
    if (error.category() == http::make_error_code(http::error::bad_version).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      return turn_away(400, "bad request\n");
    }
    if (error) return cut();
    const auto& request = parser_->get();
    const HttpQuestion question{std::string(request.method_string()),
                                std::string(request.target()),
                                host_of(request),
                                request.version() >= 11,
                                header(request, http::field::accept),
                                header(request, http::field::authorization),
                                std::string(request["X-API-Key"])};
    head_only_ = request.method() == http::verb::head;
    name_request();
    traceparent_ = request.count("traceparent") == 1 ? std::string(request["traceparent"]) : std::string();
    const TimePoint begun = now();
    HttpAnswer answer = answer_http(question, shared_->handlers);
    const Keep keep = request.keep_alive() && parser_->is_done() ? Keep::kOpen : Keep::kClose;
    if (answer.cpu_profile) return take_profile(std::move(answer), begun, keep);
    if (answer.wants_proof) return await_proof(std::move(answer), begun, keep);
    finish(std::move(answer), begun, keep);
  }

  enum class Keep { kOpen, kClose };

  void name_request() {
    request_id_ = std::string(parser_->get()["X-Request-ID"]);
    if (!is_request_id(request_id_)) request_id_ = shared_->ids.next(wall_clock_ms());
  }

  // What could not be read to its end: of no method and no route, but counted and told of like any other.
  void turn_away(unsigned status, const char* why) {
    name_request();
    finish({status, "text/plain; charset=utf-8", why}, now(), Keep::kClose);
  }

  void finish(HttpAnswer answer, TimePoint begun, Keep keep) {
    shared_->handlers.on_answered({answer.method, answer.route, answer.status, now() - begun, request_id_,
                                   std::move(answer.key), traceparent_, answer.path});
    write(std::move(answer), keep);
  }

  // Its length bounds the wait; a peer that goes away meanwhile is noticed when the answer is written.
  void take_profile(HttpAnswer question, TimePoint begun, Keep keep) {
    stream_.expires_never();
    const seconds length = *question.cpu_profile;
    shared_->handlers.cpu_profile(
        length, [self = weak_from_this(), question = std::move(question), begun, keep](Result<std::string> profile) {
          const auto connection = self.lock();
          if (!connection || !connection->stream_.socket().is_open()) return;
          HttpAnswer answer = profile_answer(profile);
          answer.method = question.method;
          answer.route = question.route;
          answer.path = question.path;
          answer.key = question.key;
          connection->finish(std::move(answer), begun, keep);
        });
  }

  // The manager bounds the wait.
  void await_proof(HttpAnswer question, TimePoint begun, Keep keep) {
    stream_.expires_never();
    shared_->handlers.prove([self = weak_from_this(), question = std::move(question), begun, keep](Health health) {
      const auto connection = self.lock();
      if (!connection || !connection->stream_.socket().is_open()) return;
      HttpAnswer answer = health_answer(question.route, health);
      answer.method = question.method;
      answer.route = question.route;
      connection->finish(std::move(answer), begun, keep);
    });
  }

  static std::string header(const http::request<http::string_body>& request, http::field name) {
    return std::string(request[name]);
  }

  void write(HttpAnswer answer, Keep keep) {
    response_ = {};
    response_.result(answer.status);
    response_.version(11);
    response_.set(http::field::content_type, answer.content_type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    response_.set("X-Request-ID", request_id_);
    if (answer.status == 401) response_.set(http::field::www_authenticate, "Bearer");
    if (answer.status == 429) response_.set(http::field::retry_after, "60");
    if (answer.status == 405) response_.set(http::field::allow, "GET, HEAD");
    response_.keep_alive(keep == Keep::kOpen);
    response_.content_length(answer.body.size());
    if (!head_only_) response_.body() = std::move(answer.body);
    await_peer();
    http::async_write(stream_, response_, [self = shared_from_this()](error_code error, size_t) {
      if (error) return self->cut();
      if (self->response_.need_eof()) return self->linger();
      self->read();
    });
  }

  // Takes in what the peer still sends before closing: closing over unread bytes would reset the connection, and the
  // peer could lose the answer. Bounded by bytes and by the deadline of the write.
  void linger() {
    error_code ignored;
    stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(HttpExporter::kBodyBytes),
                            [self = shared_from_this()](error_code error, size_t count) {
                              self->lingered_bytes_ += count;
                              if (error || self->lingered_bytes_ > kLingerBytes) return self->cut();
                              self->linger();
                            });
  }

  static std::optional<std::string> host_of(const http::request<http::string_body>& request) {
    if (request.count(http::field::host) != 1) return std::nullopt;
    return std::string(request[http::field::host]);
  }

  beast::basic_stream<Streams> stream_;
  beast::flat_buffer buffer_;
  std::shared_ptr<Shared> shared_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  std::optional<TimePoint> waiting_since_;
  bool head_only_ = false;
  std::string request_id_, traceparent_;  // of the request that is being answered
  size_t lingered_bytes_ = 0;
};

}  // namespace

struct HttpExporter::Server : std::enable_shared_from_this<HttpExporter::Server> {
  Server(asio::io_context& loop, HttpHandlers handlers, HttpLimits limits)
      : acceptor(loop), pause(loop), shared(std::make_shared<Shared>()) {
    shared->handlers = std::move(handlers);
    shared->limits = limits;
  }

  Status open(const tcp::endpoint& endpoint) {
    error_code error;
    tcp::acceptor listening(acceptor.get_executor());
    listening.open(endpoint.protocol(), error);
    if (!error) close_on_exec(listening.native_handle());
    if (!error) listening.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) listening.bind(endpoint, error);
    if (!error) listening.listen(static_cast<int>(shared->limits.connections), error);
    const tcp::endpoint bound = error ? endpoint : listening.local_endpoint(error);
    if (error) return failure(Errc::kSystem, "listen for HTTP: " + error.message());
    const std::string host = bound.address().to_string();
    address = (bound.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(bound.port());
    return take(UniqueFd(listening.release()), endpoint.protocol().family());
  }

  Status take(UniqueFd listening, int family) {
    error_code error;
    acceptor.assign(Streams(family, 0), listening.get(), error);
    if (error) return failure(Errc::kSystem, "listen for HTTP: " + error.message());
    (void)listening.release();
    return {};
  }

  void accept() {
    acceptor.async_accept([self = shared_from_this()](error_code error, Streams::socket socket) {
      if (!self->acceptor.is_open()) return;
      if (error) return self->accept_later();
      close_on_exec(socket.native_handle());
      self->admit(std::move(socket));
      self->accept();
    });
  }

  void admit(Streams::socket socket) {
    if (shared->connections.size() >= shared->limits.connections && !make_room()) return;  // it goes out of scope
    auto connection = std::make_shared<Connection>(std::move(socket), shared);
    shared->connections.insert(connection);
    connection->read();
  }

  bool make_room() {
    std::shared_ptr<Connection> longest;
    for (const auto& each : shared->connections) {
      const auto since = each->waiting_since();
      if (since && (!longest || *since < *longest->waiting_since())) longest = each;
    }
    if (longest) longest->cut();
    return longest != nullptr;
  }

  void accept_later() {
    pause.expires_after(kAcceptPause);
    pause.async_wait([self = shared_from_this()](error_code error) {
      if (!error && self->acceptor.is_open()) self->accept();
    });
  }

  void close() {
    error_code ignored;
    acceptor.close(ignored);
    address.clear();
    pause.cancel();
    while (!shared->connections.empty()) {
      const std::shared_ptr<Connection> connection = *shared->connections.begin();
      connection->cut();
    }
  }

  std::string address;
  asio::basic_socket_acceptor<Streams> acceptor;
  asio::steady_timer pause;
  std::shared_ptr<Shared> shared;
};

Result<std::shared_ptr<HttpExporter>> HttpExporter::listen(asio::io_context& loop, std::string_view address,
                                                           HttpHandlers handlers, HttpLimits limits) {
  const Result<tcp::endpoint> endpoint = parse_address(address);
  if (!endpoint) return tl::unexpected(endpoint.error());
  auto server = std::make_shared<Server>(loop, std::move(handlers), limits);
  if (Status opened = server->open(*endpoint); !opened) {
    return failure(opened.error().code, std::string(address) + ": " + opened.error().message);
  }
  server->accept();
  return std::shared_ptr<HttpExporter>(new HttpExporter(std::move(server)));
}

Result<std::shared_ptr<HttpExporter>> HttpExporter::serve(asio::io_context& loop, UniqueFd listening, std::string path,
                                                          HttpHandlers handlers, HttpLimits limits) {
  auto server = std::make_shared<Server>(loop, std::move(handlers), limits);
  server->address = std::move(path);
  if (const Status taken = server->take(std::move(listening), AF_UNIX); !taken) {
    return tl::unexpected(taken.error());
  }
  server->accept();
  return std::shared_ptr<HttpExporter>(new HttpExporter(std::move(server)));
}

HttpExporter::HttpExporter(std::shared_ptr<Server> server) : server_(std::move(server)) {}
HttpExporter::~HttpExporter() { close(); }

std::string HttpExporter::address() const { return server_->address; }

void HttpExporter::close() { server_->close(); }

}  // namespace capsule
