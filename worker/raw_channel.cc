#include "worker/raw_channel.h"

#include <array>

#include "base/posix_io.h"
#include "protocol/codec.h"

namespace capsule {

namespace {

// The kernel gives out descriptors with the first byte they were sent with, and with it what came before: a frame that
// brings none must leave them to the one behind it.
bool may_bring_descriptors(const Message& message) {
  return std::holds_alternative<Branch>(message) || std::holds_alternative<Nested>(message) ||
         std::holds_alternative<Mapped>(message) || std::holds_alternative<Wake>(message) ||
         std::holds_alternative<Checkpoint>(message) || std::holds_alternative<Resize>(message);
}

}  // namespace

Result<std::optional<RawChannel::Received>> RawChannel::receive() {
  for (;;) {
    auto payload = decoder_.next();
    if (!payload) return tl::unexpected<Error>(payload.error());
    if (*payload) {
      auto message = decode(**payload);
      if (!message) return tl::unexpected<Error>(message.error());
      if (!may_bring_descriptors(*message)) return Received{std::move(*message), {}};
      return Received{std::move(*message), std::exchange(fds_, {})};
    }
    std::array<char, 4096> block;
    const auto got = receive_with_fds(socket_.get(), block, fds_, 0);
    if (!got) return tl::unexpected<Error>(got.error());
    if (*got == 0) return std::nullopt;
    decoder_.feed(std::string_view(block.data(), *got));
  }
}

Status RawChannel::send(const Message& message, std::span<const int> fds) {
  const std::string frame = encode_frame(message);
  const auto put = send_with_fds(socket_.get(), frame, fds, 0);
  if (!put) return tl::unexpected<Error>(put.error());
  return write_all(socket_.get(), std::string_view(frame).substr(*put));
}

}  // namespace capsule
