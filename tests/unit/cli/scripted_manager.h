// The other end of a client's connection, played by the test: on a thread of its own where the two must talk in turn.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "cli/client.h"
#include "protocol/message.h"

namespace capsule::cli {

// Speaks frames on its end of a socket pair; throws (and so ends the script) when the client is gone.
class ManagerEnd {
 public:
  explicit ManagerEnd(UniqueFd socket) : socket_(std::move(socket)) {}

  void send(const Message& message);
  void send_raw(std::string_view bytes);
  Message receive();
  void close() { socket_.reset(); }

  template <class T>
  T expect() {
    return std::get<T>(receive());
  }

 private:
  UniqueFd socket_;
  FrameDecoder decoder_;
};

struct Connection {
  Client client;
  ManagerEnd manager;
};
Connection make_connection();

// Runs the script on a thread; joins in the destructor. What the script throws is a failure of the test.
class ScriptedManager {
 public:
  ScriptedManager(ManagerEnd end, std::function<void(ManagerEnd&)> script);
  ~ScriptedManager();
  ScriptedManager(const ScriptedManager&) = delete;
  ScriptedManager& operator=(const ScriptedManager&) = delete;

 private:
  std::string problem_;
  std::thread thread_;
};

}  // namespace capsule::cli
