// One connection through the proxy of a capsule: a client inside and, once it may, a peer outside. Kept alive by its
// pending operations; close() ends them all. Lives on the loop's thread.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "manager/net/http_head.h"
#include "manager/net/network_proxy.h"

namespace capsule {

class ProxyConnection : public std::enable_shared_from_this<ProxyConnection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  struct Owner {
    const std::vector<AllowedHost>& allowed;
    Metrics& metrics;
  };
  // `done` is called once, at the end; the owner outlives it or has called close().
  ProxyConnection(Socket inside, Owner owner, std::function<void(ProxyConnection*)> done);

  void start();
  void close();

 private:
  using Endpoint = boost::asio::ip::tcp::endpoint;
  struct Way {  // one direction of the relay
    Socket& from;
    Socket& to;
    std::array<char, NetworkProxy::kRelayBytes> buffer;
  };

  void expect(Duration patience);
  void read_head();
  void take_head(size_t size);
  void resolve();
  void connect();
  void connected();
  void relay(Way& way);
  void end_way(Way& way);
  void refuse(label::ProxyOutcome outcome, const char* status, const std::string& why);

  Owner owner_;
  std::function<void(ProxyConnection*)> done_;
  Socket inside_, outside_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::steady_timer timer_;
  std::string head_, first_bytes_;
  std::array<char, 4096> block_{};
  ProxyRequest request_;
  std::vector<Endpoint> endpoints_;  // still to be tried, the last one first
  Way outward_, inward_;
  int open_ways_ = 2;
  bool closed_ = false;
};

}  // namespace capsule
