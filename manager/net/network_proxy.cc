#include "manager/net/network_proxy.h"

#include <boost/asio/ip/tcp.hpp>
#include <map>

#include "manager/net/proxy_connection.h"

namespace capsule {
using boost::asio::ip::tcp;
using boost::system::error_code;

// Shared with the pending accept, so that it may outlive the proxy.
struct NetworkProxy::State : std::enable_shared_from_this<State> {
  State(Loop& loop, std::vector<AllowedHost> list, Metrics& counters)
      : acceptor(loop.context()), allowed(std::move(list)), metrics(counters) {}

  void accept() {
    acceptor.async_accept([self = shared_from_this()](error_code error, tcp::socket inside) {
      if (self->closed) return;
      if (error) {  // its namespace is gone, or descriptors are out
        self->acceptor.close(error);
        return;
      }
      if (self->connections.size() >= kConnections) {
        self->metrics.proxy_request(label::ProxyOutcome::kDenied);
      } else {
        const auto connection = std::make_shared<ProxyConnection>(
            std::move(inside), ProxyConnection::Owner{self->allowed, self->metrics},
            [state = self.get()](ProxyConnection* done) { state->connections.erase(done); });
        self->connections[connection.get()] = connection;
        connection->start();
      }
      self->accept();
    });
  }

  tcp::acceptor acceptor;
  std::vector<AllowedHost> allowed;
  Metrics& metrics;
  std::map<ProxyConnection*, std::shared_ptr<ProxyConnection>> connections;
  bool closed = false;
};

NetworkProxy::NetworkProxy(Loop& loop, UniqueFd listener, std::vector<AllowedHost> allowed, Metrics& metrics)
    : state_(std::make_shared<State>(loop, std::move(allowed), metrics)) {
  error_code error;
  state_->acceptor.assign(tcp::v4(), listener.get(), error);
  if (error) return;
  (void)listener.release();
  state_->accept();
}

NetworkProxy::~NetworkProxy() {
  state_->closed = true;
  error_code ignored;
  state_->acceptor.close(ignored);
  while (!state_->connections.empty()) {
    const auto connection = state_->connections.begin()->second;
    connection->close();  // takes itself out
  }
}

}  // namespace capsule
