// Where a manager may listen, and in which order to look: the flag, CAPSULE_SOCKET, the user's runtime directory, the
// system's. Pure: the environment and the uid are arguments.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace capsule::cli {

enum class SocketOwner {
  kNamed,   // the caller named the path, and knows whose it is
  kUser,    // must be served by this user (or root): others can write to /tmp
  kSystem,  // only root can put something there
};

struct SocketCandidate {
  std::string path;
  SocketOwner owner = SocketOwner::kNamed;
  bool operator==(const SocketCandidate&) const = default;
};

struct SocketEnvironment {
  std::string flag;            // --socket; empty: not given
  std::string capsule_socket;  // CAPSULE_SOCKET; empty: not set
  std::string runtime_dir;     // XDG_RUNTIME_DIR; empty: not set; ignored unless absolute
  uid_t uid = 0;
};

// Never empty. The first one is where a private manager would be started.
std::vector<SocketCandidate> socket_candidates(const SocketEnvironment& environment);

// The same from this process's environment.
SocketEnvironment read_socket_environment(const std::string& flag);

}  // namespace capsule::cli
