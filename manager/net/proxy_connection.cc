#include "manager/net/proxy_connection.h"

#include <boost/asio/write.hpp>

#include "manager/net/network_rules.h"

namespace capsule {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
namespace {

std::string answer(const char* status, const std::string& why) {
  return std::string("HTTP/1.1 ") + status +
         "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(why.size() + 1) +
         "\r\nConnection: close\r\n\r\n" + why + "\n";
}

}  // namespace

ProxyConnection::ProxyConnection(Socket inside, Owner owner, std::function<void(ProxyConnection*)> done)
    : owner_(owner),
      done_(std::move(done)),
      inside_(std::move(inside)),
      outside_(inside_.get_executor()),
      resolver_(inside_.get_executor()),
      timer_(inside_.get_executor()),
      outward_{inside_, outside_, {}},
      inward_{outside_, inside_, {}} {}

void ProxyConnection::start() {
  expect(NetworkProxy::kHeadPatience);
  read_head();
}

void ProxyConnection::close() {
  if (std::exchange(closed_, true)) return;
  error_code ignored;
  timer_.cancel();
  resolver_.cancel();
  inside_.close(ignored);
  outside_.close(ignored);
  if (done_) std::exchange(done_, nullptr)(this);
}

// Whatever comes next comes within `patience`, or this is over.
void ProxyConnection::expect(Duration patience) {
  timer_.expires_after(patience);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->close();
  });
}

void ProxyConnection::read_head() {
  inside_.async_read_some(asio::buffer(block_), [self = shared_from_this()](error_code error, size_t bytes) {
    if (error || self->closed_) return self->close();
    self->head_.append(self->block_.data(), bytes);
    if (const auto size = head_size(self->head_)) return self->take_head(*size);
    if (self->head_.size() > kHttpHeadBytes) {
      return self->refuse(label::ProxyOutcome::kDenied, "431 Request Header Fields Too Large", "the head is too long");
    }
    self->read_head();
  });
}

void ProxyConnection::take_head(size_t size) {
  auto request = parse_proxy_request(std::string_view(head_).substr(0, size));
  if (!request) return refuse(label::ProxyOutcome::kDenied, "400 Bad Request", request.error().message);
  request_ = std::move(*request);
  first_bytes_ = request_.forwarded + head_.substr(size);  // what came with the head goes on behind it
  if (!is_listed(owner_.allowed, request_.host, request_.port)) {
    return refuse(label::ProxyOutcome::kDenied, "403 Forbidden",
                  request_.host + ":" + std::to_string(request_.port) + " is not in this profile's network list");
  }
  resolve();
}

void ProxyConnection::resolve() {
  expect(NetworkProxy::kConnectPatience);
  resolver_.async_resolve(
      request_.host, std::to_string(request_.port),
      [self = shared_from_this()](error_code error, const tcp::resolver::results_type& found) {
        if (self->closed_) return;
        if (error) return self->refuse(label::ProxyOutcome::kFailed, "502 Bad Gateway", "the name cannot be resolved");
        for (const auto& entry : found) {
          const tcp::endpoint endpoint = entry.endpoint();
          const std::string address = endpoint.address().to_string();
          if (may_connect(self->owner_.allowed, self->request_.host, address, endpoint.port())) {
            self->endpoints_.insert(self->endpoints_.begin(), endpoint);
          }
        }
        if (!self->endpoints_.empty()) return self->connect();
        self->refuse(label::ProxyOutcome::kDenied, "403 Forbidden",
                     self->request_.host + " stands for an address of a private network, which is not listed");
      });
}

void ProxyConnection::connect() {
  const tcp::endpoint endpoint = endpoints_.back();
  endpoints_.pop_back();
  error_code ignored;
  outside_.close(ignored);
  outside_.async_connect(endpoint, [self = shared_from_this()](error_code error) {
    if (self->closed_) return;
    if (!error) return self->connected();
    if (!self->endpoints_.empty()) return self->connect();
    self->refuse(label::ProxyOutcome::kFailed, "502 Bad Gateway", "cannot connect: " + error.message());
  });
}

void ProxyConnection::connected() {
  owner_.metrics.proxy_request(label::ProxyOutcome::kAllowed);
  const auto begin = [self = shared_from_this()] {
    self->expect(NetworkProxy::kIdlePatience);
    self->relay(self->outward_);
    self->relay(self->inward_);
  };
  const auto send_first = [self = shared_from_this(), begin] {
    if (self->first_bytes_.empty()) return begin();
    asio::async_write(self->outside_, asio::buffer(self->first_bytes_),
                      [self, begin](error_code error, size_t) { error || self->closed_ ? self->close() : begin(); });
  };
  if (!request_.is_tunnel) return send_first();
  static const std::string kEstablished = "HTTP/1.1 200 Connection established\r\n\r\n";
  asio::async_write(inside_, asio::buffer(kEstablished),
                    [self = shared_from_this(), send_first](error_code error, size_t) {
                      error || self->closed_ ? self->close() : send_first();
                    });
}

void ProxyConnection::relay(Way& way) {
  way.from.async_read_some(asio::buffer(way.buffer), [self = shared_from_this(), &way](error_code error, size_t bytes) {
    if (self->closed_) return;
    if (error) return self->end_way(way);
    self->expect(NetworkProxy::kIdlePatience);
    asio::async_write(way.to, asio::buffer(way.buffer.data(), bytes), [self, &way](error_code failed, size_t) {
      if (self->closed_) return;
      failed ? self->close() : self->relay(way);
    });
  });
}

// One end has said all it will; the other may still have something to say.
void ProxyConnection::end_way(Way& way) {
  error_code ignored;
  way.to.shutdown(Socket::shutdown_send, ignored);
  if (--open_ways_ == 0) close();
}

void ProxyConnection::refuse(label::ProxyOutcome outcome, const char* status, const std::string& why) {
  owner_.metrics.proxy_request(outcome);
  first_bytes_ = answer(status, why);
  asio::async_write(inside_, asio::buffer(first_bytes_),
                    [self = shared_from_this()](error_code, size_t) { self->close(); });
}

}  // namespace capsule
