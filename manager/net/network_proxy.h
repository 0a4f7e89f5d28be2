// The way out of one capsule whose profile lists hosts: an HTTP proxy (CONNECT, and plain http) on a socket that
// listens inside the capsule. It connects from the manager's side to what is listed exactly, and to nothing else.
// Everything that comes from inside is hostile.
//
// Bounds: kConnections at once, more are closed; a head of kHttpHeadBytes within kHeadPatience; connecting within
// kConnectPatience; kRelayBytes each way in memory; kIdlePatience without a byte. Ends with its capsule.
#pragma once

#include <memory>
#include <vector>

#include "base/unique_fd.h"
#include "manager/async/loop.h"
#include "manager/config.h"
#include "manager/observe/metrics.h"

namespace capsule {

class NetworkProxy {
 public:
  static constexpr size_t kConnections = 32;
  static constexpr size_t kRelayBytes = 16u << 10;
  static constexpr seconds kHeadPatience{10};
  static constexpr seconds kConnectPatience{10};
  static constexpr seconds kIdlePatience{120};

  // `listener`: a TCP socket in the capsule's network namespace.
  NetworkProxy(Loop& loop, UniqueFd listener, std::vector<AllowedHost> allowed, Metrics& metrics);
  ~NetworkProxy();  // closes every connection
  NetworkProxy(const NetworkProxy&) = delete;
  NetworkProxy& operator=(const NetworkProxy&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace capsule
