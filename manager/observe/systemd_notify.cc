#include "manager/observe/systemd_notify.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "manager/observe/environment.h"

namespace capsule {
namespace {

constexpr size_t kStatusBytes = 1024;
// systemd's socket may be full for a moment; the loop must not wait longer than this for it.
constexpr timeval kSendTimeout{0, 200'000};

// Half the period: one ping may be late without the service being shot for it.
Result<std::optional<Duration>> watchdog_interval_of(const std::string& usec, const std::string& pid) {
  if (usec.empty()) return std::nullopt;
  if (!pid.empty()) {
    const auto whose = parse_variable_number("WATCHDOG_PID", pid);
    if (!whose) return tl::unexpected(whose.error());
    if (*whose != static_cast<uint64_t>(getpid())) return std::nullopt;
  }
  const auto period_us = parse_variable_number("WATCHDOG_USEC", usec);
  if (!period_us) return tl::unexpected(period_us.error());
  constexpr uint64_t kLongestPeriodUs = uint64_t{1} << 50;
  if (*period_us == 0 || *period_us > kLongestPeriodUs) {
    return failure(Errc::kInvalid, "WATCHDOG_USEC is out of range");
  }
  return std::optional<Duration>(microseconds(*period_us / 2));
}

std::string one_line(std::string_view text) {
  std::string line(text.substr(0, kStatusBytes));
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

}  // namespace

Result<SystemdNotify> SystemdNotify::from_environment() {
  // All three go, whatever is wrong with one of them.
  std::string address = take_variable("NOTIFY_SOCKET");
  const std::string usec = take_variable("WATCHDOG_USEC");
  const std::string pid = take_variable("WATCHDOG_PID");
  SystemdNotify notify;
  if (address.empty()) return notify;
  if ((address[0] != '/' && address[0] != '@') || address.size() >= sizeof(sockaddr_un::sun_path)) {
    return failure(Errc::kInvalid, "NOTIFY_SOCKET is not a path or an abstract name of a Unix socket");
  }
  const auto interval = watchdog_interval_of(usec, pid);
  if (!interval) return tl::unexpected(interval.error());
  notify.socket_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!notify.socket_) return system_failure("socket for NOTIFY_SOCKET");
  if (setsockopt(notify.socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &kSendTimeout, sizeof kSendTimeout) != 0) {
    return system_failure("SO_SNDTIMEO");
  }
  notify.address_ = std::move(address);
  notify.watchdog_interval_ = *interval;
  return notify;
}

Status SystemdNotify::ready(std::string_view status) { return send("READY=1\nSTATUS=" + one_line(status)); }
Status SystemdNotify::reloading() { return send("RELOADING=1"); }
Status SystemdNotify::stopping() { return send("STOPPING=1"); }
Status SystemdNotify::status(std::string_view text) { return send("STATUS=" + one_line(text)); }
Status SystemdNotify::alive() { return send("WATCHDOG=1"); }

Status SystemdNotify::send(std::string_view text) {
  if (!active()) return {};
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  for (;;) {
    const ssize_t sent =
        sendto(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), length);
    if (sent >= 0) return {};
    if (errno != EINTR) return system_failure("notify systemd");
  }
}

}  // namespace capsule
