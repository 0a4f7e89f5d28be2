// Writes to stdout and stderr as slowly as they are read, but keeps an eye on Ctrl-C meanwhile: a reader that has
// stopped (a pager, a full pipe) must not keep a cancel from being sent.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"
#include "cli/terminal_text.h"

namespace capsule::cli {

enum class Stream { kOut, kErr };

class StdioWriter {
 public:
  // Descriptors are not owned. `cancel_fd` (or -1) becomes readable when the user wants to stop.
  StdioWriter(int out_fd, int err_fd, int cancel_fd) : out_fd_(out_fd), err_fd_(err_fd), cancel_fd_(cancel_fd) {}

  OutputKind kind_of(Stream stream) const { return cli::kind_of(stream == Stream::kOut ? out_fd_ : err_fd_); }
  int cancel_fd() const { return cancel_fd_; }
  void on_cancel(std::function<void()> hook) { on_cancel_ = std::move(hook); }

  // kClosed: nobody reads stdout. What cannot be written to stderr is lost: there is nowhere to say so.
  Status write(Stream stream, std::string_view bytes);

 private:
  void wait_for_room(int fd);

  int out_fd_, err_fd_, cancel_fd_;
  std::function<void()> on_cancel_;
  bool cancelled_ = false;
};

}  // namespace capsule::cli
