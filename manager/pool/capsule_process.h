// The manager's side of one capsule: its keeper. The keeper is the manager's child (CLONE_PARENT), known by its pidfd;
// killing it ends every process of the capsule. Destroying this object without destroy() does so too.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "manager/pool/worker.h"

namespace capsule {

class CapsuleProcess : public std::enable_shared_from_this<CapsuleProcess> {
 public:
  struct Start {
    uint64_t id;
    std::string name;
    std::string profile;
    UniqueFd link;
    UniqueFd pidfd;
    std::string workspace;  // a directory of ours to remove afterwards; empty when the capsule has a private one
  };
  struct Events {
    std::function<void(const Hello&)> on_ready;
    std::function<void()> on_gone;  // reaped; nothing of it is left
  };
  using WorkerStarted = std::function<void(Result<std::shared_ptr<Worker>>)>;

  CapsuleProcess(Loop& loop, Start start, const WorkerConfig& config, Metrics& metrics);
  ~CapsuleProcess();
  void begin(Events events);

  uint64_t id() const { return id_; }
  const std::string& name() const { return name_; }
  const std::vector<Layer>& layers() const { return hello_.layers; }  // the keeper's
  std::vector<Layer> layers_of(const Worker& worker) const;           // and the worker's after them
  const Hello& hello() const { return hello_; }
  bool is_gone() const { return gone_; }
  bool has_workspace() const { return !workspace_.empty(); }

  // Forks a worker; the callback gets it as soon as the fork is done. It says hello when it is ready.
  void start_worker(uint64_t id, WorkerStarted started);
  // Ends everything in it but the keeper.
  void sweep(std::function<void(Status)> done);
  // With a pid namespace: kills the keeper, and the kernel everything in it. Without one the keeper is asked to end
  // what it finds first, and killed when it does not.
  void destroy();

 private:
  bool is_contained() const;
  void kill();
  void expect_answer();
  void handle(Message message);
  void branched(const Branched& reply);
  void exited(const Exited& report);
  void pidfd_readable();
  void fail_requests(const Error& error);

  struct Pending {
    uint64_t worker_id;
    UniqueFd link;
    WorkerStarted started;
  };

  Loop& loop_;
  Metrics& metrics_;
  WorkerConfig config_;
  uint64_t id_;
  std::string name_, profile_, workspace_;
  std::shared_ptr<FrameChannel> channel_;
  FdWatch pidfd_;
  Timer kill_timer_;
  Timer patience_;  // runs while the keeper owes an answer
  Events events_;
  Hello hello_;
  std::map<uint64_t, Pending> branching_;                     // by request id
  std::map<uint64_t, std::function<void(Status)>> sweeping_;  // by request id
  std::map<pid_t, std::shared_ptr<Worker>> workers_;          // by pid in the capsule
  uint64_t last_request_ = 0;
  bool gone_ = false;
  bool destroyed_ = false;
};

}  // namespace capsule
