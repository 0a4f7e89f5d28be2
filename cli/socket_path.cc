#include "cli/socket_path.h"

#include <unistd.h>

#include <cstdlib>

namespace capsule::cli {
namespace {

constexpr const char* kSystemSocket = "/run/capsule/capsule.sock";

std::string environment_value(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

std::vector<SocketCandidate> socket_candidates(const SocketEnvironment& environment) {
  if (!environment.flag.empty()) return {{environment.flag, SocketOwner::kNamed}};
  if (!environment.capsule_socket.empty()) return {{environment.capsule_socket, SocketOwner::kNamed}};
  std::vector<SocketCandidate> found;
  if (environment.runtime_dir.starts_with('/')) {
    found.push_back({environment.runtime_dir + "/capsule/capsule.sock", SocketOwner::kUser});
  } else if (environment.uid != 0) {
    found.push_back({"/tmp/capsule-" + std::to_string(environment.uid) + "/capsule.sock", SocketOwner::kUser});
  }
  found.push_back({kSystemSocket, SocketOwner::kSystem});
  return found;
}

SocketEnvironment read_socket_environment(const std::string& flag) {
  return {.flag = flag,
          .capsule_socket = environment_value("CAPSULE_SOCKET"),
          .runtime_dir = environment_value("XDG_RUNTIME_DIR"),
          .uid = geteuid()};
}

}  // namespace capsule::cli
