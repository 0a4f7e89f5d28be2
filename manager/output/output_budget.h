// What becomes of each chunk a run writes, with exact counters. Pure; one thread.
//
// OutputBudget is one for each run: forward, drop, or stop the run, as its policy says. OutputBacklog is one for each
// client: whether its runs' pipes may be read, given how much it has not taken yet. The backlog holds for every
// policy: memory is bounded by it, not by the program's limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "manager/config.h"
#include "protocol/limits.h"
#include "protocol/message.h"

namespace capsule {

enum class Stream : uint32_t { kStdout = 1, kStderr = 2 };  // as on the wire

// For one chunk: the first `forward` bytes go on as one output frame, the rest is dropped (and counted).
struct Admission {
  size_t forward = 0;
  size_t drop = 0;
  uint64_t seq = 0;       // of the forwarded bytes; no number is used up when forward is 0
  uint64_t offset = 0;    // of the chunk's first byte in its stream; dropped bytes count
  bool stop_run = false;  // true once: the limit was just passed and the policy is `stop`
};

class OutputBudget {
 public:
  OutputBudget(OutputPolicy policy, uint64_t max_bytes) : policy_(policy), max_bytes_(max_bytes) {}

  // `data`: 1..limits::kOutputChunkBytes bytes (asserted), in the order they were read.
  Admission take(Stream stream, std::string_view data);

  // The run's bytes that lie in the client's queue right now; keeps the deepest.
  void note_queued(uint64_t bytes);

  bool is_over_limit() const { return dropped_bytes_ != 0; }
  // The last limits::kLastOutputBytes written, both streams, dropped bytes included: they are the evidence.
  std::string_view last_output() const;
  OutputCount count() const;  // pending_bytes is the shell's to fill in

 private:
  void remember(std::string_view data);

  OutputPolicy policy_;
  uint64_t max_bytes_;
  uint64_t stdout_bytes_ = 0, stderr_bytes_ = 0;
  uint64_t forwarded_bytes_ = 0, dropped_bytes_ = 0;
  uint64_t chunks_ = 0;
  uint64_t deepest_queue_bytes_ = 0;
  std::string tail_;  // at most twice kLastOutputBytes
};

class OutputBacklog {
 public:
  explicit OutputBacklog(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // Whether pipes of this client's runs may be read while so much lies unsent. Once it said no it says no until half
  // of the maximum is taken, so that a slow reader does not cause a wake-up for each frame.
  bool may_read(uint64_t queued_bytes);

  bool is_blocked() const { return blocked_; }
  uint64_t times_blocked() const { return times_blocked_; }
  uint64_t deepest_bytes() const { return deepest_bytes_; }

 private:
  uint64_t max_bytes_;
  bool blocked_ = false;
  uint64_t times_blocked_ = 0;
  uint64_t deepest_bytes_ = 0;
};

}  // namespace capsule
