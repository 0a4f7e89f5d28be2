#include "cli/run_stream.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <type_traits>

#include "cli/exit_code.h"
#include "cli/input_pump.h"

namespace capsule::cli {
namespace {

class RunLoop {
 public:
  RunLoop(Client& client, int input_fd, RunView& view, StdioWriter& stdio)
      : client_(client), input_(input_fd), view_(view), stdio_(stdio) {
    stdio_.on_cancel([this] { cancel(); });
  }
  ~RunLoop() { stdio_.on_cancel({}); }
  RunLoop(const RunLoop&) = delete;
  RunLoop& operator=(const RunLoop&) = delete;

  RunEnd run(Execute request) {
    request_id_ = request.id = client_.next_id();
    client_.queue(std::move(request));
    while (!end_) {
      if (auto status = step(); !status) lost(status.error());
    }
    return *end_;
  }

 private:
  Status step() {
    Status sent = client_.flush();
    if (auto status = show_arrived(); !status || end_) return status;
    // A connection that takes nothing more may still hold the verdict: read on until its end.
    return wait_and_read(sent ? client_.unsent() > 0 : false);
  }

  Status show_arrived() {
    while (!end_) {
      const Result<std::optional<Message>> message = client_.next();
      if (!message) return tl::unexpected(message.error());
      if (!*message) return {};
      handle(**message);
    }
    return {};
  }

  Status wait_and_read(const bool wants_to_send) {
    // While something is unsent no more input is read: the outbox never holds more than one chunk of it.
    const bool wants_input = !run_id_.empty() && input_.can_read() && client_.unsent() == 0;
    std::array<pollfd, 3> watched{{
        {client_.fd(), static_cast<short>(wants_to_send ? POLLIN | POLLOUT : POLLIN), 0},
        {wants_input ? input_.fd() : -1, POLLIN, 0},
        {wants_cancel_ ? -1 : stdio_.cancel_fd(), POLLIN, 0},
    }};
    if (poll(watched.data(), watched.size(), -1) < 0) {
      if (errno == EINTR) return {};
      return system_failure("poll");
    }
    if (watched[2].revents != 0) cancel();
    if (watched[1].revents != 0) {
      if (auto chunk = input_.read_chunk(run_id_)) client_.queue(std::move(*chunk));
    }
    if ((watched[0].revents & ~POLLOUT) != 0) return client_.fill();
    return {};
  }

  void handle(const Message& message) {
    if (const auto* accepted = std::get_if<Accepted>(&message)) {
      if (accepted->re != request_id_) return;
      run_id_ = accepted->run_id;
      show(message);
      if (wants_cancel_) send_cancel();
    } else if (const auto* refusal = std::get_if<ErrorReply>(&message)) {
      // An answer to our cancel can only say that the run has ended; its verdict is on its way.
      if (refusal->re == request_id_ || refusal->re == 0) {
        show(message);
        finish({kExitUnavailable, error_from(*refusal), {}});
      }
    } else if (const auto* credit = std::get_if<Credit>(&message)) {
      if (credit->run_id == run_id_) input_.add_credit(credit->bytes);
    } else if (const auto* finished = std::get_if<Finished>(&message)) {
      if (finished->run_id != run_id_ || run_id_.empty()) return;
      show(message);
      finish({finished->exit_status, std::nullopt, finished->run_id});
    } else if (is_shown(message)) {
      show(message);
    }
  }

  // Late output belongs to an earlier run of the session; everything else must be about this one.
  bool is_shown(const Message& message) const {
    if (const auto* output = std::get_if<Output>(&message); output != nullptr && output->late) return true;
    const auto is_ours = [this](const auto& m) {
      using T = std::decay_t<decltype(m)>;
      if constexpr (std::is_same_v<T, Started> || std::is_same_v<T, Output> || std::is_same_v<T, Display> ||
                    std::is_same_v<T, ResultValue>) {
        return m.run_id == run_id_;
      } else {
        return std::is_same_v<T, Shutdown>;
      }
    };
    return std::visit(is_ours, message);
  }

  void show(const Message& message) {
    if (end_) return;
    const Status shown = view_.show(message);
    if (shown) return;
    // Ours to end: without a reader the program would only fill buffers.
    wants_cancel_ = true;
    send_cancel();
    if (shown.error().code == Errc::kClosed) {
      finish({kExitOutputClosed, std::nullopt, {}});
    } else {
      finish({kExitUnavailable, shown.error(), {}});
    }
  }

  void cancel() {
    if (wants_cancel_) return;
    wants_cancel_ = true;
    if (!run_id_.empty()) send_cancel();
  }

  void send_cancel() {
    if (run_id_.empty()) return;
    client_.queue(Cancel{.id = client_.next_id(), .run_id = run_id_});
    (void)client_.flush();  // a connection that is gone shows itself when it is read
  }

  void lost(const Error& error) {
    if (error.code == Errc::kClosed) {
      finish({kExitUnavailable,
              Error{Errc::kClosed, run_id_.empty() ? "the manager went away before it took the run"
                                                   : "the manager went away; the run's end is unknown"},
              {}});
    } else {
      finish({kExitUnavailable, error, {}});
    }
  }

  void finish(RunEnd end) {
    if (!end_) end_ = std::move(end);
  }

  Client& client_;
  InputPump input_;
  RunView& view_;
  StdioWriter& stdio_;
  uint64_t request_id_ = 0;
  std::string run_id_;  // empty until accepted
  bool wants_cancel_ = false;
  std::optional<RunEnd> end_;
};

}  // namespace

RunEnd run_stream(Client& client, Execute request, int input_fd, RunView& view, StdioWriter& stdio) {
  if (!request.standard_input) input_fd = -1;
  return RunLoop(client, input_fd, view, stdio).run(std::move(request));
}

}  // namespace capsule::cli
