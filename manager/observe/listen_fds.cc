#include "manager/observe/listen_fds.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manager/observe/environment.h"

namespace capsule {
namespace {

constexpr size_t kNameBytes = 255;  // what systemd allows

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> names;
  while (names.size() < static_cast<size_t>(kListenFds)) {
    const size_t colon = text.find(':');
    names.emplace_back(text.substr(0, colon).substr(0, kNameBytes));
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
  }
  return names;
}

Status check_listens(int fd) {
  int listening = 0;
  socklen_t length = sizeof listening;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0) return system_failure("a passed socket");
  if (listening == 0) return failure(Errc::kInvalid, "a passed socket does not listen");
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return system_failure("FD_CLOEXEC on a passed socket");
  return {};
}

}  // namespace

Result<std::vector<ListenFd>> take_listen_fds(int first_fd) {
  // All three go, whatever is wrong with one of them.
  const std::string pid_text = take_variable("LISTEN_PID");
  const std::string count_text = take_variable("LISTEN_FDS");
  const std::string names_text = take_variable("LISTEN_FDNAMES");
  std::vector<ListenFd> fds;
  if (pid_text.empty() || count_text.empty()) return fds;
  const Result<uint64_t> pid = parse_variable_number("LISTEN_PID", pid_text);
  if (!pid) return tl::unexpected(pid.error());
  if (*pid != static_cast<uint64_t>(getpid())) return fds;
  const Result<uint64_t> count = parse_variable_number("LISTEN_FDS", count_text);
  if (!count) return tl::unexpected(count.error());
  if (*count > kListenFds) {
    return failure(Errc::kTooLarge, "LISTEN_FDS passes more than " + std::to_string(kListenFds) + " sockets");
  }
  const std::vector<std::string> names = split(names_text);
  for (int i = 0; i < static_cast<int>(*count); ++i) {
    const auto at = static_cast<size_t>(i);
    const bool named = at < names.size() && !names[at].empty();
    // A descriptor that is not there must not become ours to close.
    if (const Status listens = check_listens(first_fd + i); !listens) return tl::unexpected(listens.error());
    fds.push_back({named ? names[at] : "unknown", UniqueFd(first_fd + i)});
  }
  return fds;
}

UniqueFd take_by_name(std::vector<ListenFd>& fds, std::string_view name) {
  for (ListenFd& entry : fds) {
    if (entry.name == name && entry.fd) return std::move(entry.fd);
  }
  return {};
}

}  // namespace capsule
