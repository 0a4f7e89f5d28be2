// The manager's side of one snapshot: a parked copy of a worker, known by its pidfd. It costs nothing until it is
// woken, which turns it into a Worker, or copied. Destroying this object ends the process. Held by the session it
// belongs to; lives on the loop's thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "manager/link/frame_channel.h"

namespace capsule {

class ParkedCopy {
 public:
  struct Start {
    UniqueFd link;
    UniqueFd pidfd;
    pid_t pid_in_capsule = 0;
    std::vector<std::string> not_captured;
  };
  // The claim of a copy's process about a copy of its own.
  using Copied = std::function<void(Result<Branched>)>;
  struct Memory {
    uint64_t private_bytes = 0, shared_bytes = 0;
  };
  using Measured = std::function<void(std::optional<Memory>)>;

  ParkedCopy(Loop& loop, Start start, Metrics& metrics);
  // Once it says that it has settled down: before that its own session's programs could look into it.
  void when_parked(std::function<void()> parked) { parked_ = std::move(parked); }
  ~ParkedCopy();
  ParkedCopy(const ParkedCopy&) = delete;
  ParkedCopy& operator=(const ParkedCopy&) = delete;

  pid_t pid() const { return pid_; }
  pid_t pid_in_capsule() const { return pid_in_capsule_; }
  const std::vector<std::string>& not_captured() const { return not_captured_; }
  TimePoint made_at() const { return made_at_; }
  // False once its link has ended: it died, and its keeper's word for that may still be on its way.
  bool is_reachable() const { return channel_->is_open(); }

  // Its keeper must expect it.
  void copy(const std::string& name, UniqueFd link, Copied done);
  // What it has for itself, and what it shares with other copies. nullopt: it did not say.
  void measure(Measured done);
  // Into the pipe; it ends afterwards.
  void serialise(Checkpoint request, UniqueFd pipe);
  // What a Worker is made of; it must be reachable. The object is an empty shell afterwards.
  std::pair<UniqueFd, UniqueFd> take();  // link, pidfd

 private:
  void handle(const Message& message);
  void fail(const Error& error);

  std::shared_ptr<FrameChannel> channel_;
  UniqueFd pidfd_;
  pid_t pid_, pid_in_capsule_;
  std::vector<std::string> not_captured_;
  TimePoint made_at_;
  std::function<void()> parked_;
  std::map<uint64_t, Copied> copying_;      // by request id
  std::map<uint64_t, Measured> measuring_;  // by the same
  uint64_t last_request_ = 0;
};

}  // namespace capsule
