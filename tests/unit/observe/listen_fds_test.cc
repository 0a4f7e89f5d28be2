#include "manager/observe/listen_fds.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "base/posix_io.h"

namespace capsule {
namespace {

constexpr int kFirst = 200;  // stands for 3, which a test runner may be using itself

void clear_environment() {
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(name);
}

void pass(const std::string& pid, const std::string& count, const char* names) {
  clear_environment();
  setenv("LISTEN_PID", pid.c_str(), 1);
  setenv("LISTEN_FDS", count.c_str(), 1);
  if (names != nullptr) setenv("LISTEN_FDNAMES", names, 1);
}

std::string own_pid() { return std::to_string(getpid()); }

// A listening socket at that number, inheritable as systemd passes it. Abstract and autobound: no file is left.
void put_listener_at(int fd) {
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  REQUIRE(bind(listener.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name.sun_family) == 0);
  REQUIRE(listen(listener.get(), 1) == 0);
  REQUIRE(dup2(listener.get(), fd) == fd);
}

TEST_CASE("without socket activation there are no sockets", "[systemd]") {
  clear_environment();
  CHECK(take_listen_fds(kFirst).value().empty());
}

TEST_CASE("passed sockets are taken over by name, close-on-exec, and the environment is clean", "[systemd]") {
  put_listener_at(kFirst);
  put_listener_at(kFirst + 1);
  pass(own_pid(), "2", "capsule:metrics");
  std::vector<ListenFd> fds = take_listen_fds(kFirst).value();
  REQUIRE(fds.size() == 2);
  CHECK(fds[0].name == "capsule");
  CHECK(fds[1].name == "metrics");
  CHECK((fcntl(kFirst, F_GETFD) & FD_CLOEXEC) != 0);
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) CHECK(getenv(name) == nullptr);
  const UniqueFd metrics = take_by_name(fds, "metrics");
  CHECK(metrics.get() == kFirst + 1);
  CHECK_FALSE(take_by_name(fds, "metrics"));
  CHECK_FALSE(take_by_name(fds, "other"));
}

TEST_CASE("a socket without a name is called unknown", "[systemd]") {
  put_listener_at(kFirst);
  pass(own_pid(), "1", nullptr);
  CHECK(take_listen_fds(kFirst).value().at(0).name == "unknown");
}

TEST_CASE("sockets meant for another process are left alone", "[systemd]") {
  put_listener_at(kFirst);
  const UniqueFd cleanup(kFirst);
  pass("1", "1", "capsule");
  CHECK(take_listen_fds(kFirst).value().empty());
  CHECK(fcntl(kFirst, F_GETFD) == 0);
  CHECK(getenv("LISTEN_FDS") == nullptr);
}

TEST_CASE("numbers that make no sense, and too many sockets, are errors", "[systemd]") {
  for (const char* count : {"many", "-1", "9", "1x", "99999999999999999999"}) {
    INFO(count);
    pass(own_pid(), count, "");
    CHECK_FALSE(take_listen_fds(kFirst).has_value());
    CHECK(getenv("LISTEN_FDS") == nullptr);
  }
  pass("me", "1", "");
  CHECK_FALSE(take_listen_fds(kFirst).has_value());
}

TEST_CASE("what is not a listening socket is refused", "[systemd]") {
  pass(own_pid(), "1", "capsule");
  CHECK_FALSE(take_listen_fds(kFirst).has_value());  // nothing is open there
  {
    const FdPair pair = std::move(*make_stream_socketpair());
    REQUIRE(dup2(pair.first.get(), kFirst) == kFirst);
    const UniqueFd cleanup(kFirst);
    pass(own_pid(), "1", "capsule");
    CHECK_FALSE(take_listen_fds(kFirst).has_value());
  }
}

}  // namespace
}  // namespace capsule
