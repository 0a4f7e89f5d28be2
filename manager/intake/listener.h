// The manager's socket: one per path, guarded by a lock file, in a directory only its owner can enter; or handed over
// by systemd. Accepts, identifies, and keeps the connections, at most client.max_connections.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "manager/intake/client_connection.h"

namespace capsule {

struct BoundSocket {
  UniqueFd socket;
  UniqueFd lock;     // held as long as we live; empty when systemd owns the path
  std::string path;  // to unlink at the end; empty when systemd owns it
};

// Makes the directory (0700) when it is missing. kConflict: another manager has it.
Result<BoundSocket> bind_socket(const std::string& path, const std::string& group);

class Listener {
 public:
  using Gone = std::function<void(ClientKey)>;

  Listener(Loop& loop, BoundSocket bound, ClientConfig config, Others others, ClientService& service, Metrics& metrics,
           Gone gone);
  ~Listener();

  void start();
  void stop();  // no new connections
  void tell_all(const Message& message);
  void close_all();  // and none of the old ones
  void set_config(ClientConfig config) { config_ = config; }
  size_t connections() const { return connections_.size(); }
  const std::string& path() const { return path_; }

 private:
  std::string full_for(uid_t uid) const;
  std::shared_ptr<TokenBucket> time_of(uid_t uid);
  void accept_some();

  Loop& loop_;
  FdWatch watch_;
  UniqueFd lock_;
  std::string path_, unlink_path_;
  ClientConfig config_;
  Others others_;
  ClientService& service_;
  Metrics& metrics_;
  Gone gone_;
  Timer retry_;
  ClientKey last_key_ = 0;
  std::map<ClientKey, std::shared_ptr<ClientConnection>> connections_;
  std::map<uid_t, std::shared_ptr<TokenBucket>> times_;  // kept when a user goes: who comes back goes on with its debt
};

}  // namespace capsule
