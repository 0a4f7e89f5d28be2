#include "cli/connect.h"

#include "cli/private_manager.h"
#include "cli/report.h"

namespace capsule::cli {

Result<Client> connect_to_manager(const std::string& socket_flag, WhenNobodyListens policy) {
  const auto candidates = socket_candidates(read_socket_environment(socket_flag));
  std::string tried;
  for (const SocketCandidate& candidate : candidates) {
    Result<Client> client = Client::connect(candidate);
    if (client || client.error().code != Errc::kUnavailable) return client;
    tried += (tried.empty() ? "" : " or ") + candidate.path;
  }
  if (policy == WhenNobodyListens::kFail) {
    return failure(Errc::kUnavailable, "no manager listens at " + tried + "; start one with: capsule serve");
  }
  Result<PrivateManager> started = start_private_manager(candidates.front());
  if (!started) return tl::unexpected(started.error());
  if (started->pid != 0) {
    note("no manager was listening; started a private one (pid " + std::to_string(started->pid) +
         "; it goes away when idle)");
  }
  return std::move(started->client);
}

}  // namespace capsule::cli
