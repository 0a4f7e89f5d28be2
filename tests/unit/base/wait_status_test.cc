#include "base/wait_status.h"

#include <catch2/catch.hpp>
#include <csignal>

namespace capsule {
namespace {

// The encoding wait(2) uses on Linux.
WaitStatus exited(int code) { return WaitStatus(code << 8); }
WaitStatus killed(int signal) { return WaitStatus(signal); }

}  // namespace

TEST_CASE("an exit has a code and no signal") {
  CHECK(exited(3).exit_code() == 3);
  CHECK_FALSE(exited(3).signal());
  CHECK(exited(3).describe() == "exit 3");
  CHECK(WaitStatus().exit_code() == 0);
}

TEST_CASE("a death by signal has a signal and no code") {
  CHECK(killed(SIGSEGV).signal() == SIGSEGV);
  CHECK_FALSE(killed(SIGSEGV).exit_code());
  CHECK(killed(SIGSEGV).describe() == "signal 11 (SIGSEGV)");
}

TEST_CASE("a core dump flag does not change the signal") { CHECK(WaitStatus(SIGABRT | 0x80).signal() == SIGABRT); }

TEST_CASE("a stop is neither an exit nor a death") {
  const WaitStatus stopped((SIGSTOP << 8) | 0x7F);
  CHECK_FALSE(stopped.exit_code());
  CHECK_FALSE(stopped.signal());
  CHECK(stopped.describe() == "status 4991");
}

TEST_CASE("signals have their usual names, or a number") {
  CHECK(signal_name(SIGKILL) == "SIGKILL");
  CHECK(signal_name(SIGSYS) == "SIGSYS");
  CHECK(signal_name(200) == "signal 200");
}

}  // namespace capsule
