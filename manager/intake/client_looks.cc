// Requests that look into what runs: stacks.
#include "manager/intake/client_connection.h"

namespace capsule {
namespace {

Status status_of(const Result<std::string>& json) {
  return json ? Status() : Status(tl::unexpected<Error>(json.error()));
}

}  // namespace

bool ClientConnection::serve_looks(const Message& message) {
  const auto* stack = std::get_if<Stack>(&message);
  if (stack == nullptr) return false;
  service_.stack(stack->run_id, peer_.uid,
                 [self = weak_from_this(), id = stack->id, run = stack->run_id](Result<std::string> json) {
                   const auto connection = self.lock();
                   if (!connection) return;
                   connection->transferred({"run.stack", "run", run}, status_of(json));
                   json ? connection->send(Document{id, {std::move(*json)}}) : connection->refuse(id, json.error());
                 });
  return true;
}

}  // namespace capsule
