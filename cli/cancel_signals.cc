#include "cli/cancel_signals.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "base/posix_io.h"
#include "cli/exit_code.h"

namespace capsule::cli {
namespace {

// A handler can reach only statics. The write end is left open until the process ends.
volatile sig_atomic_t signals_seen = 0;
volatile sig_atomic_t wake_fd = -1;

extern "C" void on_signal(int) {
  const int saved = errno;
  signals_seen = signals_seen + 1;
  if (signals_seen > 1) _exit(kExitInterrupted);
  const char byte = 1;
  [[maybe_unused]] const ssize_t put = write(wake_fd, &byte, 1);
  errno = saved;
}

Status install_one(int number) {
  struct sigaction old {};
  if (sigaction(number, nullptr, &old) != 0) return system_failure("sigaction");
  if (old.sa_handler == SIG_IGN) return {};
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: a write that waits for its reader must come back
  if (sigaction(number, &action, nullptr) != 0) return system_failure("sigaction");
  return {};
}

}  // namespace

Result<CancelSignals> CancelSignals::install() {
  Result<FdPair> pipe = make_pipe();
  if (!pipe) return tl::unexpected(pipe.error());
  wake_fd = pipe->second.release();
  for (const int number : {SIGINT, SIGTERM}) {
    if (auto status = install_one(number); !status) return tl::unexpected(status.error());
  }
  return CancelSignals(std::move(pipe->first));
}

}  // namespace capsule::cli
