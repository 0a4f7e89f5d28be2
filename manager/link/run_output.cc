// What the program of a run writes, shows and reads: its pipes and its displays.
#include <unistd.h>

#include "base/posix_io.h"
#include "manager/link/run_driver.h"
#include "manager/storage/run_recording.h"

namespace capsule {
namespace {

constexpr size_t kUnreadDisplayBytes = 4 * limits::kFrameBytes;  // several threads may each wait for an answer

Result<FdPair> make_run_pipe(unsigned owner) {
  auto pipe = make_pipe();
  if (!pipe) return pipe;
  if (owner != 0 && fchown(pipe->second.get(), owner, owner) != 0) return system_failure("fchown of a pipe");
  return pipe;
}

}  // namespace

// At once, so that input can come before the program starts.
Status RunDriver::make_pipes() {
  const unsigned own = lease_.capsule->own_user();
  const unsigned owner = own != 0 ? own : settings_.worker_user;
  auto out = make_run_pipe(owner), error = make_run_pipe(owner);
  if (!out) return tl::unexpected<Error>(out.error());
  if (!error) return tl::unexpected<Error>(error.error());
  worker_ends_.push_back(std::move(out->second));
  worker_ends_.push_back(std::move(error->second));
  if (run_->request.standard_input) {
    auto in = make_run_pipe(owner);
    if (!in) return tl::unexpected<Error>(in.error());
    worker_ends_.push_back(std::move(in->first));
    stdin_ = std::make_unique<InputWriter>(loop_, std::move(in->second), [this](uint64_t bytes) {
      if (const auto client = listener()) client->send(Credit{run_->id, bytes});
    });
  }
  const auto sink = [this](Stream stream, std::string_view chunk) { take_chunk(stream, chunk); };
  stdout_ = std::make_unique<PipeReader>(loop_, std::move(out->first), Stream::kStdout, sink);
  stderr_ = std::make_unique<PipeReader>(loop_, std::move(error->first), Stream::kStderr, sink);
  stdout_->start();
  stderr_->start();
  return {};
}

void RunDriver::take_chunk(Stream stream, std::string_view chunk) {
  const bool is_stdout = stream == Stream::kStdout;
  metrics_.output_chunk(is_stdout ? label::Stream::kStdout : label::Stream::kStderr, chunk.size());
  const Admission admission = budget_.take(stream, chunk);
  if (admission.drop > 0) metrics_.output_dropped(admission.drop);
  if (admission.seq == 0 && admission.forward > 0) run_->trace.mark(TraceEvent::kFirstOutput, now());
  if (run_->recording) run_->recording->output(stream, admission.offset, chunk.substr(0, admission.forward));
  const auto client = listener();
  if (admission.forward > 0 && client) {
    Output meta;
    meta.run_id = run_->id;
    meta.stream = static_cast<uint32_t>(stream);
    meta.seq = admission.seq;
    meta.offset = admission.offset;
    client->send_output(meta, chunk.substr(0, admission.forward));
    budget_.note_queued(client->queued_bytes());
  }
  if (admission.stop_run) {
    stop(StopReason::kOutputLimit);
  } else if (client && !client->may_read_output()) {
    stdout_->pause();
    stderr_->pause();
  }
}

void RunDriver::listener_can_take_more() {
  if (finished_ || !stdout_) return;
  release_displays();
  stdout_->resume();
  stderr_->resume();
}

void RunDriver::drain() {
  if (stdout_) stdout_->drain();
  if (stderr_) stderr_->drain();
}

Status RunDriver::input(const Input& input) {
  if (!stdin_) return failure(Errc::kConflict, "this run takes no input");
  if (!input.data.value.empty()) {
    if (const Status pushed = stdin_->push(input.data.value); !pushed) return pushed;
  }
  if (input.eof) stdin_->finish();
  return {};
}

void RunDriver::take_display(Display display) {
  const uint64_t id = std::exchange(display.id, 0);
  drain();
  if (run_->recording) run_->recording->display(display);
  const auto client = listener();
  if (client) client->send(std::move(display));
  const bool has_room = !client || client->may_read_output() ||
                        (ending_.ladder().has_interrupted() && client->queued_bytes() < kUnreadDisplayBytes);
  if (has_room) return lease_.worker->send(Ack{id, {}});
  held_display_ = std::max(held_display_, id);
  if (++displays_held_ > 1 && client->queued_bytes() > kUnreadDisplayBytes) {
    broke_protocol("displays without waiting for an answer");
  }
}

// An answer stands for all before it.
void RunDriver::release_displays() {
  displays_held_ = 0;
  if (const uint64_t id = std::exchange(held_display_, 0); id != 0) lease_.worker->send(Ack{id, {}});
}

std::pair<std::unique_ptr<PipeReader>, std::unique_ptr<PipeReader>> RunDriver::take_pipes() {
  return {std::move(stdout_), std::move(stderr_)};
}

}  // namespace capsule
