// Requests that look into what runs: stacks, namespaces, frames. Who looked is in the audit log.
#include "manager/intake/client_connection.h"

namespace capsule {
namespace {

Status status_of(const Result<std::string>& json) {
  return json ? Status() : Status(tl::unexpected<Error>(json.error()));
}

}  // namespace

bool ClientConnection::serve_looks(const Message& message) {
  // `look` has words of ours and the object that was looked at.
  const auto answer = [self = weak_from_this()](uint64_t id, Transfer look) {
    return [self, id, look = std::move(look)](Result<std::string> json) {
      const auto connection = self.lock();
      if (!connection) return;
      connection->transferred(look, status_of(json));
      json ? connection->send(Document{id, {std::move(*json)}}) : connection->refuse(id, json.error());
    };
  };
  if (const auto* stack = std::get_if<Stack>(&message)) {
    service_.stack(stack->run_id, peer_.uid, answer(stack->id, {"run.stack", "run", stack->run_id}));
    return true;
  }
  if (const auto* inspect = std::get_if<Inspect>(&message)) {
    service_.inspect(inspect->session, peer_.uid,
                     answer(inspect->id, {"session.inspect", "session", inspect->session}));
    return true;
  }
  const auto* tap = std::get_if<Tap>(&message);
  if (tap == nullptr) return false;
  const Status done = service_.tap(*tap, {key_, tap->id, weak_from_this()}, peer_.uid);
  transferred({tap->on ? "session.tap" : "session.untap", "session", tap->session}, done);
  done ? send(Ack{tap->id, {}}) : refuse(tap->id, done.error());
  return true;
}

}  // namespace capsule
