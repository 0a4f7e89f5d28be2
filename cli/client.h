// One connection to a manager. Blocking to its users, but no call waits without a deadline, and sending never waits
// at all: what the kernel does not take stays in the outbox until flush(). One thread.
//
// Bounds: the decoder's frame limit for what comes in; the outbox holds what its user queues, who must not queue more
// while unsent() is not 0 (the input pump does so).
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "cli/socket_path.h"
#include "protocol/frame.h"
#include "protocol/message.h"

namespace capsule::cli {

inline constexpr seconds kHelloTimeout{10};
inline constexpr seconds kReplyTimeout{300};  // a new session may wait for its profile to be loaded

class Client {
 public:
  // Connects and exchanges hellos. kUnavailable: nobody listens there, or not any longer. kRefused: the listener is
  // somebody else, or takes no further connection.
  static Result<Client> connect(const SocketCandidate& where);

  // Takes over a connected socket; hellos are exchanged already or not wanted (tests).
  Client(UniqueFd socket, std::string path) : socket_(std::move(socket)), path_(std::move(path)) {}

  Status exchange_hello(TimePoint deadline);

  int fd() const { return socket_.get(); }
  const std::string& path() const { return path_; }
  const Hello& manager() const { return manager_; }
  uint64_t next_id() { return ++last_id_; }

  void queue(const Message& message);
  Status flush();  // sends what fits now; kClosed when the manager is gone
  size_t unsent() const { return outbox_.size() - sent_; }

  // Reads once, without waiting, what has arrived. kClosed at end of file.
  Status fill();
  // The next message that has arrived as a whole.
  Result<std::optional<Message>> next();

  // Waits for the next message.
  Result<Message> receive(TimePoint deadline);
  // Sends a request and waits for its answer; an ErrorReply becomes an Error. Messages about other things are dropped.
  Result<Message> call(uint64_t id, const Message& request);

 private:
  Status wait(short events, TimePoint deadline);

  UniqueFd socket_;
  std::string path_;
  FrameDecoder decoder_;
  std::string outbox_;
  size_t sent_ = 0;
  Hello manager_;
  uint64_t last_id_ = 0;
};

// Turns the manager's refusal into an Error with the code it names.
Error error_from(const ErrorReply& reply);

}  // namespace capsule::cli
