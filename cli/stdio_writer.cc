#include "cli/stdio_writer.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace capsule::cli {

void StdioWriter::wait_for_room(int fd) {
  for (;;) {
    std::array<pollfd, 2> watched{{{fd, POLLOUT, 0}, {cancelled_ ? -1 : cancel_fd_, POLLIN, 0}}};
    if (poll(watched.data(), watched.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return;  // let write() say what is wrong
    }
    if ((watched[1].revents & POLLIN) != 0) {
      cancelled_ = true;
      if (on_cancel_) on_cancel_();
    }
    if (watched[0].revents != 0) return;
  }
}

Status StdioWriter::write(Stream stream, std::string_view bytes) {
  const int fd = stream == Stream::kOut ? out_fd_ : err_fd_;
  while (!bytes.empty()) {
    wait_for_room(fd);
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put >= 0) {
      bytes.remove_prefix(static_cast<size_t>(put));
    } else if (errno != EINTR && errno != EAGAIN) {
      if (stream == Stream::kErr) return {};
      if (errno == EPIPE) return failure(Errc::kClosed, "nobody reads standard output");
      return system_failure("standard output");
    }
  }
  return {};
}

}  // namespace capsule::cli
