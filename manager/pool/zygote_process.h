// The manager's side of one zygote: starts the worker program with Boost.Process, tells it what to preload, and asks it
// for capsules. Its death touches no capsule; the pool starts another.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "manager/link/frame_channel.h"
#include "manager/pool/capsule_bounds.h"

namespace capsule {

struct ZygoteOptions {
  std::string program;  // capsule-worker
  Prepare prepare;      // `id` is filled in
  unsigned user = 0;    // become this user first; 0: stay
};

struct CapsuleRequest {
  std::string name;
  std::string workspace;  // a directory for when it cannot have a private one, or empty
  uint32_t user = 0;      // its own, or 0
  bool ahead = false;     // its keeper forks the first worker before it is asked for one
};

struct BranchedCapsule {
  UniqueFd link, pidfd;
  Duration took{};
};

class ZygoteProcess : public std::enable_shared_from_this<ZygoteProcess> {
 public:
  struct Events {
    std::function<void(const Hello&)> on_ready;                                // or not: look at `failure`
    std::function<void(label::ZygoteRestart cause, std::string why)> on_gone;  // kDied or kUnhealthy
  };
  using CapsuleBranched = std::function<void(Result<BranchedCapsule>)>;
  using Resized = std::function<void(const Status&)>;

  static Result<std::shared_ptr<ZygoteProcess>> launch(Loop& loop, ZygoteOptions options, Events events,
                                                       Metrics& metrics);
  ~ZygoteProcess();

  void branch(const CapsuleRequest& request, CapsuleBranched done);
  // Of the capsule in which the process lives. kRefused when it holds more already.
  void resize(WorkspaceSize size, UniqueFd pidfd, Resized done);
  void stop();  // asks it to end; kills it when it does not

  pid_t pid() const;
  uint64_t forks() const { return forks_; }
  TimePoint started_at() const { return started_at_; }
  const Hello& hello() const { return hello_; }
  bool is_ready() const { return ready_; }

 private:
  struct Process;  // Boost.Process stays in the .cc
  ZygoteProcess(Loop& loop, UniqueFd link, UniqueFd errors, Metrics& metrics);
  void begin(Events events, Prepare prepare);
  void handle(Message message);
  void read_errors();
  void expect_answer(Duration patience);
  void resized(const Report& report);
  size_t owed_answers() const { return branching_.size() + resizing_.size(); }
  void heard_answer();
  void link_ended(const Error& error);
  void reap();
  void gone(std::string why);

  struct Pending {
    UniqueFd link;
    CapsuleBranched done;
  };

  std::shared_ptr<FrameChannel> channel_;
  std::unique_ptr<Process> process_;
  FdWatch errors_;
  Timer patience_;          // runs while an answer is due
  std::string error_text_;  // the last of what it printed
  Events events_;
  Hello hello_;
  std::map<uint64_t, Pending> branching_;
  std::map<uint64_t, Resized> resizing_;
  uint64_t last_request_ = 0;
  uint64_t forks_ = 0;
  TimePoint started_at_;
  bool ready_ = false;
  bool stopping_ = false;
  bool is_stuck_ = false;  // it did not answer and was killed
  bool gone_ = false;
};

}  // namespace capsule
