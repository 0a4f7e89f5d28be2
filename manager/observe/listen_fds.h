// Socket activation (sd_listen_fds(3)): listening sockets that systemd opened for us and passed from descriptor 3 on.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule {

inline constexpr int kFirstListenFd = 3;
inline constexpr int kListenFds = 8;  // more are an error

struct ListenFd {
  std::string name;  // FileDescriptorName= of the socket unit; "unknown" without one
  UniqueFd fd;       // close-on-exec now
};

// Takes over what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES speak of and removes them from the environment. Empty when
// there is nothing, or it is meant for another process. `first_fd` is another than kFirstListenFd only in tests.
Result<std::vector<ListenFd>> take_listen_fds(int first_fd = kFirstListenFd);

// Moves the first one of that name out; an empty UniqueFd when there is none. systemd calls a socket without a name
// after its unit, so "capsule.socket" is a name too.
UniqueFd take_by_name(std::vector<ListenFd>& fds, std::string_view name);

}  // namespace capsule
