// The sd_notify(3) protocol: one datagram per notice to $NOTIFY_SOCKET. Without systemd every call does nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule {

class SystemdNotify {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and removes them from the environment, so that no child can
  // speak in our name. Call it before the first child and the first thread. A malformed value is an error.
  static Result<SystemdNotify> from_environment();

  bool active() const { return static_cast<bool>(socket_); }

  // Each sends at once. An error says that systemd did not get it; the service goes on.
  Status ready(std::string_view status);
  Status reloading();  // ready() must follow
  Status stopping();
  Status status(std::string_view text);  // one line for `systemctl status`
  Status alive();                        // the watchdog's ping

  // How often alive() is due: half the period systemd allows. Empty when there is no watchdog for this process.
  std::optional<Duration> watchdog_interval() const { return watchdog_interval_; }

 private:
  Status send(std::string_view text);

  UniqueFd socket_;
  std::string address_;  // as in the environment, "@" first for an abstract one
  std::optional<Duration> watchdog_interval_;
};

}  // namespace capsule
