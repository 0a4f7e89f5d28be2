#include "manager/link/frame_tap.h"

#include <algorithm>

#include "protocol/limits.h"
#include "protocol/peek.h"

namespace capsule {
namespace {

// A worker can put anything there.
std::string run_id_of(std::string_view text) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  if (text.size() > limits::kIdBytes || !std::all_of(text.begin(), text.end(), is_plain)) return {};
  return std::string(text);
}

std::string run_id_of(const Message& message) {
  return std::visit(
      [](const auto& m) -> std::string {
        if constexpr (requires { m.run_id; }) {
          return run_id_of(std::string_view(m.run_id));
        } else {
          return {};
        }
      },
      message);
}

}  // namespace

Status FrameTap::add(Listener listener) {
  remove(listener.client);
  std::erase_if(listeners_, [](const Listener& each) { return each.to.expired(); });
  if (listeners_.size() >= kListeners) {
    return failure(Errc::kUnavailable,
                   "session '" + session_ + "' is tapped by " + std::to_string(kListeners) + " connections already");
  }
  listeners_.push_back(std::move(listener));
  return {};
}

void FrameTap::remove(ClientKey client) {
  std::erase_if(listeners_, [&](const Listener& each) { return each.client == client; });
}

void FrameTap::received(const Message& message, size_t frame_bytes) {
  Tapped frame;
  frame.direction = "in";
  frame.kind = type_of(message);
  frame.run_id = run_id_of(message);
  frame.bytes = frame_bytes;
  tell(std::move(frame));
}

void FrameTap::sent(std::string_view payload, size_t frame_bytes) {
  Tapped frame;
  frame.direction = "out";
  frame.kind = peek::type(payload);
  frame.run_id = run_id_of(peek::text(payload, "run_id").value_or(std::string_view()));
  frame.bytes = frame_bytes;
  tell(std::move(frame));
}

void FrameTap::tell(Tapped frame) {
  frame.session = session_;
  frame.wall_us = begun_wall_us_ + to_microseconds(now() - begun_at_);
  for (Listener& each : listeners_) {
    frame.seq = ++each.seq;
    const auto client = each.to.lock();
    if (client && client->queued_bytes() < kUnreadBytes) client->send_soon(frame);
  }
}

void FrameTap::end(const Error& why) {
  for (const Listener& each : listeners_) {
    if (const auto client = each.to.lock()) {
      client->send(ErrorReply{each.request, std::string(to_string(why.code)), why.message});
    }
  }
  listeners_.clear();
}

}  // namespace capsule
