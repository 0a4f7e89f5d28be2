#include "manager/observe/log_sink.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace capsule {
namespace {
constexpr int kLookMs = 50;  // how soon a wait notices that the sink is to close
}  // namespace

bool LogSink::wait_writable() const {
  for (;;) {
    const int64_t close_at_us = close_at_us_;
    const bool is_late = close_at_us != 0 && to_microseconds(now().time_since_epoch()) >= close_at_us;
    pollfd ready{STDERR_FILENO, POLLOUT, 0};
    const int count = poll(&ready, 1, is_late ? 0 : kLookMs);  // thousands of lines may wait behind this one
    if (count > 0) return (ready.revents & POLLOUT) != 0;
    if (is_late || (count < 0 && errno != EINTR)) return false;
  }
}

// PIPE_BUF at a time: so much is taken without waiting by a pipe that can be written to, and is not torn apart.
void LogSink::sink_it_(const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  base_sink<std::mutex>::formatter_->format(message, line);
  size_t done = 0;
  while (done < line.size()) {
    if (!wait_writable()) break;
    const ssize_t put = write(STDERR_FILENO, line.data() + done, std::min<size_t>(line.size() - done, PIPE_BUF));
    if (put >= 0) {
      done += static_cast<size_t>(put);
    } else if (errno != EINTR && errno != EAGAIN) {
      break;
    }
  }
  if (done < line.size()) ++lost_;
}

}  // namespace capsule
