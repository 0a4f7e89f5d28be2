// One accepted run, from admission to its verdict. Owned by the dispatcher; the driver fills in what happens.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "manager/files/upload.h"
#include "manager/observe/trace_buffer.h"
#include "manager/schedule/run_queue.h"
#include "manager/schedule/run_state.h"
#include "protocol/message.h"

namespace capsule {

class RunRecording;

// Whoever asked for the run and gets its frames. The connection implements it; it may go away before the run does.
class RunClient {
 public:
  virtual ~RunClient() = default;
  virtual void send(const Message& message) = 0;
  virtual void send_soon(const Message& message) = 0;  // together with the next ones, or a little later
  virtual void send_output(const Output& meta, std::string_view data) = 0;
  virtual bool may_read_output() = 0;  // false: its unsent frames have reached the limit
  virtual size_t queued_bytes() const = 0;
};

// What can be asked for about the files of a run. `since_ns` (file clock): a session's run wrote what changed from then
// on; 0: all there is.
struct RunFiles {
  std::shared_ptr<Workspace> workspace;
  Manifest uploaded;
  int64_t since_ns = 0;
};

struct Run {
  RunId id;
  ClientKey client = 0;
  uid_t uid = 0;
  std::string profile;
  std::string request_id;  // the caller's name for it, or one of ours
  RunTrace trace;
  Execute request;            // `code` is dropped once it was sent
  uint64_t queued_bytes = 0;  // of code and arguments, as they count while it is queued
  std::weak_ptr<RunClient> listener;
  RunState state = RunState::kQueued;
  TimePoint queued_at{}, started_at{}, finished_at{};
  int64_t created_wall_ms = 0;
  pid_t worker_pid = 0;
  std::string lease;               // hit, miss, session
  std::shared_ptr<Upload> upload;  // goes into the workspace before the program starts
  RunFiles files;                  // with `artifacts`
  Finished outcome;                // filled when finished
  OutputCount output;
  uint64_t memory_start_bytes = 0, memory_end_bytes = 0;  // of its worker; 0: it was gone
  uint32_t threads = 0;                                   // of its worker at the end
  std::shared_ptr<RunRecording> recording;                // none: nothing is recorded

  // From its start to its end; none: it never started.
  std::optional<Duration> lasted() const {
    return started_at == TimePoint{} ? std::nullopt : std::optional(finished_at - started_at);
  }

  // False: the event cannot happen now (a bug of ours; asserted in the dispatcher).
  bool apply(RunEvent event) {
    const auto next = transition(state, event);
    if (next) state = *next;
    return next.has_value();
  }
};

}  // namespace capsule
