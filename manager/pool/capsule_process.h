// The manager's side of one capsule: its keeper. The keeper is the manager's child (CLONE_PARENT), known by its pidfd;
// killing it ends every process of the capsule. Destroying this object without destroy() does so too.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "manager/cgroup/cgroup_keeper.h"
#include "manager/files/workspace.h"
#include "manager/net/network_proxy.h"
#include "manager/pool/process_tree.h"
#include "manager/pool/worker.h"

namespace capsule {

// Of every process of a capsule. From its control group as far as that counts, else from /proc.
struct CapsuleUsage {
  uint64_t cpu_us = 0, memory_bytes = 0;
  uint64_t oom_kills = 0;              // by the kernel, over the capsule's life; 0 without a control group
  std::optional<uint64_t> peak_bytes;  // over the capsule's life
};
enum class Usages { kAll, kOomKills };  // the second costs one read

class CapsuleProcess : public std::enable_shared_from_this<CapsuleProcess> {
 public:
  struct Start {
    uint64_t id;
    std::string name;
    std::string profile;
    UniqueFd link;
    UniqueFd pidfd;
    std::string workspace;  // a directory of ours to remove afterwards; empty when the capsule has a private one
    CgroupKeeper& cgroups;
    CgroupMode cgroup_mode;
    CgroupLimits limits;
    std::vector<AllowedHost> allowed_hosts;  // for the proxy, where the profile lists any
    uint32_t user = 0;                       // to be mapped into its user namespace; 0: it maps its own
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
  const std::vector<Layer>& layers() const { return hello_.layers; }  // with `cgroup`
  uint32_t own_user() const;                                          // whose processes it holds; 0: the zygote's
  std::vector<Layer> layers_of(const Worker& worker) const;           // and the worker's after them
  const Hello& hello() const { return hello_; }
  bool is_gone() const { return gone_; }
  bool has_workspace() const { return !workspace_.empty(); }
  const std::shared_ptr<Workspace>& workspace() const { return files_; }  // null: its keeper could not open one

  CapsuleUsage usage(MemoryCount count, Usages wanted = Usages::kAll) const;
  // Makes the kernel hold everything in it to so much, at most to what the profile allows. False where it cannot.
  bool bound_memory(uint64_t bytes);
  uint64_t memory_limit_bytes() const { return memory_limit_bytes_; }  // that the kernel holds it to; 0: none

  // Forks a worker; the callback gets it as soon as the fork is done. It says hello when it is ready.
  enum class Demand { kStock, kAwaited };  // awaited: somebody's run is its first, no rehearsal before it
  void start_worker(uint64_t id, Demand demand, WorkerStarted started);
  // Ends everything in it but the keeper and the snapshots; `woken`, one of these, is a worker from then on (0: none).
  void sweep(pid_t woken, std::function<void(Status)> done);

  // The process (worker or snapshot) may make one copy of itself.
  void expect_copy(pid_t pid_in_capsule);
  // It says that it made this one: from here on nothing in the capsule reaches it. `died` is called when it was reaped,
  // whatever it is by then but a worker.
  using Kept = std::function<void(Result<UniqueFd> pidfd)>;
  void keep_copy(pid_t pid_in_capsule, std::function<void()> died, Kept kept);
  // What was a snapshot goes on as a worker.
  std::shared_ptr<Worker> adopt_worker(uint64_t id, UniqueFd link, UniqueFd pidfd, pid_t pid_in_capsule,
                                       std::vector<Layer> layers);
  // With a pid namespace: kills the keeper, and the kernel everything in it. Without one the keeper is asked to end
  // what it finds first, and killed when it does not.
  void destroy();

 private:
  bool is_contained() const;
  void adopt(UniqueFd fd);
  void kill();
  void expect_answer();
  void join_cgroup();
  bool enters_cgroup_itself() const;
  void open_cgroup();
  void tell_mapped(std::vector<UniqueFd> doors);
  void heard_of_cgroup();
  void ready_when_placed();
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
  size_t owed_answers() const { return branching_.size() + sweeping_.size() + keeping_.size(); }

  Loop& loop_;
  Metrics& metrics_;
  WorkerConfig config_;
  CgroupKeeper& cgroups_;
  CgroupMode cgroup_mode_;
  CgroupLimits limits_;
  std::vector<AllowedHost> allowed_hosts_;
  std::unique_ptr<NetworkProxy> proxy_;
  std::optional<CapsuleCgroup> cgroup_;
  uint64_t memory_limit_bytes_ = 0;  // in force
  uint64_t id_;
  std::string name_, profile_, workspace_;
  pid_t pid_ = 0;
  uint32_t user_;
  std::shared_ptr<FrameChannel> channel_;
  FdWatch pidfd_;
  std::shared_ptr<Workspace> files_;
  Timer kill_timer_;
  Timer patience_;  // runs while the keeper owes an answer
  Events events_;
  Hello hello_;
  std::map<uint64_t, Pending> branching_;                     // by request id
  std::map<uint64_t, std::function<void(Status)>> sweeping_;  // by request id
  std::map<uint64_t, Kept> keeping_;                          // by request id
  std::map<pid_t, std::shared_ptr<Worker>> workers_;          // by pid in the capsule
  std::map<pid_t, std::function<void()>> copies_;             // snapshots, by the same
  uint64_t last_request_ = 0;
  bool placed_ = false;  // in its control group, or without one
  bool gone_ = false;
  bool destroyed_ = false;
};

}  // namespace capsule
