// A blocking end of a link for parked processes (zygote, keeper): frames and the descriptors that come with them.
// One owner, one thread. Frames pass through the codec, so this end is as strict as the manager's.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "protocol/frame.h"
#include "protocol/message.h"

namespace capsule {

class RawChannel {
 public:
  explicit RawChannel(UniqueFd socket) : socket_(std::move(socket)) {}
  RawChannel(RawChannel&&) = default;
  RawChannel& operator=(RawChannel&&) = default;

  struct Received {
    Message message;
    std::vector<UniqueFd> fds;  // what arrived up to the end of this frame, if it is one that may bring any
  };

  // Waits for the next frame. nullopt: the manager closed its end.
  Result<std::optional<Received>> receive();
  Status send(const Message& message, std::span<const int> fds = {});

  int fd() const { return socket_.get(); }
  // True when a whole frame may already be buffered, so that poll(2) would wait in vain.
  bool has_buffered() const { return decoder_.is_mid_frame(); }
  void close() { socket_.reset(); }
  UniqueFd take_socket() { return std::move(socket_); }  // the channel is over

 private:
  UniqueFd socket_;
  FrameDecoder decoder_;
  std::vector<UniqueFd> fds_;
};

}  // namespace capsule
