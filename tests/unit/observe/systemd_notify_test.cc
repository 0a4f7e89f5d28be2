#include "manager/observe/systemd_notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <string>

namespace capsule {
namespace {

// Plays systemd: a datagram socket under an abstract name, or a path.
class NotifySocket {
 public:
  explicit NotifySocket(std::string address) : address_(std::move(address)) {
    fd_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, address_.data(), address_.size());
    if (address_[0] == '@') name.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
    REQUIRE(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&name), length) == 0);
    setenv("NOTIFY_SOCKET", address_.c_str(), 1);
  }
  ~NotifySocket() {
    if (address_[0] == '/') unlink(address_.c_str());
  }

  std::string receive() {
    std::string text(4096, '\0');
    const ssize_t count = recv(fd_.get(), text.data(), text.size(), 0);
    return count < 0 ? "nothing" : text.substr(0, static_cast<size_t>(count));
  }

 private:
  std::string address_;
  UniqueFd fd_;
};

std::string abstract_name() { return "@capsule-notify-test-" + std::to_string(getpid()); }

void clear_environment() {
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
}

TEST_CASE("without systemd every notice is silently nothing", "[systemd]") {
  clear_environment();
  SystemdNotify notify = SystemdNotify::from_environment().value();
  CHECK_FALSE(notify.active());
  CHECK(notify.ready("").has_value());
  CHECK(notify.alive().has_value());
  CHECK_FALSE(notify.watchdog_interval().has_value());
}

TEST_CASE("each notice is one datagram", "[systemd]") {
  clear_environment();
  NotifySocket systemd(abstract_name());
  SystemdNotify notify = SystemdNotify::from_environment().value();
  REQUIRE(notify.active());
  REQUIRE(notify.ready("2 workers\nMAINPID=1").has_value());
  CHECK(systemd.receive() == "READY=1\nSTATUS=2 workers MAINPID=1");
  REQUIRE(notify.reloading().has_value());
  CHECK(systemd.receive() == "RELOADING=1");
  REQUIRE(notify.status("busy").has_value());
  CHECK(systemd.receive() == "STATUS=busy");
  REQUIRE(notify.alive().has_value());
  CHECK(systemd.receive() == "WATCHDOG=1");
  REQUIRE(notify.stopping().has_value());
  CHECK(systemd.receive() == "STOPPING=1");
  CHECK(systemd.receive() == "nothing");
}

TEST_CASE("a socket in the file system works too", "[systemd]") {
  clear_environment();
  char directory[] = "/tmp/capsule-notify-XXXXXX";
  REQUIRE(mkdtemp(directory) != nullptr);
  {
    NotifySocket systemd(std::string(directory) + "/notify");
    SystemdNotify notify = SystemdNotify::from_environment().value();
    REQUIRE(notify.ready("up").has_value());
    CHECK(systemd.receive() == "READY=1\nSTATUS=up");
  }
  CHECK(rmdir(directory) == 0);
}

TEST_CASE("children inherit none of the variables", "[systemd]") {
  clear_environment();
  NotifySocket systemd(abstract_name());
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  const SystemdNotify notify = SystemdNotify::from_environment().value();
  CHECK(notify.watchdog_interval() == Duration(seconds(15)));
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) CHECK(getenv(name) == nullptr);
}

TEST_CASE("a watchdog for another process is not ours", "[systemd]") {
  clear_environment();
  NotifySocket systemd(abstract_name());
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  CHECK_FALSE(SystemdNotify::from_environment().value().watchdog_interval().has_value());
}

TEST_CASE("malformed variables are errors and gone all the same", "[systemd]") {
  clear_environment();
  setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
  CHECK_FALSE(SystemdNotify::from_environment().has_value());
  CHECK(getenv("NOTIFY_SOCKET") == nullptr);
  setenv("NOTIFY_SOCKET", ("/" + std::string(200, 'x')).c_str(), 1);
  CHECK_FALSE(SystemdNotify::from_environment().has_value());
  for (const char* period : {"soon", "0", "-5", "99999999999999999999", "9999999999999999", "5s"}) {
    INFO(period);
    NotifySocket systemd(abstract_name());
    setenv("WATCHDOG_USEC", period, 1);
    CHECK_FALSE(SystemdNotify::from_environment().has_value());
    CHECK(getenv("WATCHDOG_USEC") == nullptr);
  }
}

TEST_CASE("nobody listening is an error that names the act", "[systemd]") {
  clear_environment();
  setenv("NOTIFY_SOCKET", "@capsule-notify-test-nobody", 1);
  SystemdNotify notify = SystemdNotify::from_environment().value();
  const Status sent = notify.ready("up");
  REQUIRE_FALSE(sent.has_value());
  CHECK(sent.error().message.find("notify systemd") == 0);
}

}  // namespace
}  // namespace capsule
