#include "manager/intake/peer.h"

#include <sys/socket.h>
#include <unistd.h>

#include <sstream>
#include <string>

#include "base/posix_io.h"

namespace capsule {
namespace {

constexpr size_t kStatusBytes = 16u << 10;

size_t pid_namespace_depth(pid_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status", kStatusBytes);
  if (!status) return 0;
  const size_t at = status->find("\nNSpid:");
  if (at == std::string::npos) return 1;  // a kernel without it has no way to tell
  std::istringstream numbers(status->substr(at + 7, status->find('\n', at + 1) - at - 7));
  size_t depth = 0;
  for (long number = 0; numbers >> number;) ++depth;
  return depth;
}

uid_t overflow_uid() {
  constexpr uid_t kUsual = 65534;
  const auto text = read_file("/proc/sys/kernel/overflowuid", 64);
  return text ? static_cast<uid_t>(std::strtoul(text->c_str(), nullptr, 10)) : kUsual;
}

}  // namespace

Result<Peer> identify_peer(int socket, Others others) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return system_failure("SO_PEERCRED");
  const Peer peer{credentials.pid, credentials.uid, credentials.gid};
  static const uid_t overflow = overflow_uid();
  if (peer.uid == overflow) return failure(Errc::kRefused, "a peer without a user id of this machine");
  if (peer.uid != geteuid() && peer.uid != 0 && others == Others::kRefused) {
    return failure(Errc::kRefused, "user " + std::to_string(peer.uid) + " is not the manager's user");
  }
  // 0: it is gone already; then it reads no answer either.
  if (pid_namespace_depth(peer.pid) != 1) {
    return failure(Errc::kRefused, "a peer from an inner pid namespace (a program inside a capsule or container)");
  }
  return peer;
}

}  // namespace capsule
