// The manager's side of one capsule: its keeper. The keeper is the manager's child (CLONE_PARENT), known by its pidfd;
// killing it ends every process of the capsule. Destroying this object without destroy() does so too.
//
// A capsule may have others inside (capsule_nested.cc), for forks of its session; their keepers are children of its
// own. It is empty after destroy(), and ends with the last of them. A process that began as a copy of another is the
// child of the keeper that the first of its kind was forked by, its guardian, wherever it lives: that keeper allows it
// copies and reports its death. Whoever uses this class names processes as the capsule in which they live does.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "manager/cgroup/cgroup_keeper.h"
#include "manager/files/workspace.h"
#include "manager/net/network_proxy.h"
#include "manager/pool/capsule_bounds.h"
#include "manager/pool/proc_stats.h"
#include "manager/pool/process_tree.h"
#include "manager/pool/worker.h"

namespace capsule {

class ScratchPlace;

// Of every process of a capsule. From its control group as far as that counts, else from /proc.
struct CapsuleUsage {
  uint64_t cpu_us = 0, memory_bytes = 0;
  uint64_t oom_kills = 0;              // by the kernel, over the capsule's life; 0 without a control group
  std::optional<uint64_t> peak_bytes;  // over the capsule's life
};
enum class Usages { kAll, kOomKills };  // the second costs one read

class CapsuleProcess : public std::enable_shared_from_this<CapsuleProcess> {
 public:
  using Bounded = std::function<void(Status)>;
  // Asks a zygote to make the workspace that the process of the pidfd sees smaller or larger.
  using Resizer = std::function<void(WorkspaceSize, UniqueFd pidfd, Bounded done)>;
  struct Start {
    uint64_t id;
    std::string name;
    std::string profile;
    UniqueFd link;
    UniqueFd pidfd;
    std::shared_ptr<ScratchPlace> workspace;  // none when it has a private one
    CgroupKeeper& cgroups;
    CgroupMode cgroup_mode;
    CgroupLimits limits;
    std::vector<AllowedHost> allowed_hosts;            // for the proxy, where the profile lists any
    uint32_t user = 0;                                 // to be mapped into its user namespace; 0: it maps its own
    std::shared_ptr<CapsuleProcess> around = nullptr;  // the one it is inside of
    std::optional<CapsuleCgroup> cgroup = {};          // of one inside: its keeper enters by itself
    UniqueFd relay = {};                               // of one inside: for the guardian of who moves in
    WorkspaceSize workspace_size = {};                 // that its own was made with
    Resizer resize = nullptr;
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
  bool has_workspace() const { return workspace_ != nullptr; }
  const std::shared_ptr<Workspace>& workspace() const { return files_; }  // null: its keeper could not open one

  CapsuleUsage usage(MemoryCount count, Usages wanted = Usages::kAll) const;
  // Makes the kernel hold everything in it to so much, at most to what the profile allows. False where it cannot.
  bool bound_memory(uint64_t bytes);
  // Those of Capsule counted, but not parked copies, for which there is room as they come and go. 0: the profile's.
  bool bound_tasks(uint64_t tasks);
  size_t parked_copies() const;  // that live here, until they are reaped
  uint64_t refused_tasks() const { return cgroup_ ? cgroup_->refused_tasks() : 0; }  // over the capsule's life
  // Whether limits of processes count its own only, and not all of the user's.
  bool has_own_processes() const;
  // The same for files: `worker` lives in it. Refused by the kernel when more is there already (kRefused).
  void bound_workspace(WorkspaceSize wanted, const Worker& worker, Bounded done);
  bool holds_workspace_to(WorkspaceSize wanted) const;      // and no other size is on its way
  bool keeps_workspace_within(WorkspaceSize wanted) const;  // to that, or less

  // Forks a worker; the callback gets it as soon as the fork is done. It says hello when it is ready.
  enum class Demand { kStock, kAwaited };  // awaited: somebody's run is its first, no rehearsal before it
  void start_worker(uint64_t id, Demand demand, WorkerStarted started);
  // Ends everything in it but the keeper and the snapshots; `woken`, one of these, is a worker from then on (0: none).
  void sweep(pid_t woken, std::function<void(Status)> done);

  // The process (worker or snapshot) may make one copy of itself, to live in `home`: here, or in a capsule inside.
  void expect_copy(pid_t pid_in_capsule, CapsuleProcess& home);
  void expect_no_copy(pid_t pid_in_capsule);  // that is over, however it ended
  // It says that it made this one (its number for it): from here on nothing in the capsules reaches it. `died` is
  // called when it was reaped, whatever it is by then but a worker.
  struct KeptCopy {
    UniqueFd pidfd;
    pid_t pid_at_home = 0;
  };
  using Kept = std::function<void(Result<KeptCopy>)>;
  struct Claim {
    pid_t original = 0, copy = 0;
    std::shared_ptr<CapsuleProcess> home;
  };
  void keep_copy(const Claim& claim, std::function<void()> died, Kept kept);
  // What was a snapshot goes on as a worker.
  std::shared_ptr<Worker> adopt_worker(uint64_t id, UniqueFd link, UniqueFd pidfd, pid_t pid_in_capsule,
                                       std::vector<Layer> layers);
  // A capsule inside this one, with a copy of its files; ready, or there is none. `on_gone`: see Events.
  static constexpr unsigned kForkDepthMax = 30;  // the kernel nests 32 namespaces, and one is the outermost capsule's
  using NestedMade = std::function<void(Result<std::shared_ptr<CapsuleProcess>>)>;
  void make_nested(uint64_t id, std::function<void()> on_gone, NestedMade made);
  unsigned depth() const { return depth_; }                                   // of forks: 0 is none
  std::vector<UniqueFd> take_namespaces() { return std::move(namespaces_); }  // of one inside, to enter; once
  // For a process that moves in, which enters them; it is charged to its old ones until then.
  Result<std::vector<UniqueFd>> open_cgroup_doors() const;
  bool has_nested() const { return nested_ != 0; }
  // Of one inside: whether the files of the capsule around are still what was copied from there when it was made.
  void ask_whether_files_are_current(std::function<void(bool)> answer);

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
  LogIds works_for() const;  // whom its workers work for
  void fail_requests(const Error& error);
  using Asked = std::function<void(Result<UniqueFd> pidfd)>;
  void ask_to_keep(pid_t pid, Asked asked);
  void keep_or_kill(const CopyStatus& copy, UniqueFd pidfd);
  CapsuleProcess& guardian_of(pid_t pid_in_capsule, pid_t& pid_there);
  void settle_in(const std::shared_ptr<CapsuleProcess>& guardian, pid_t pid_there, pid_t pid_at_home, pid_t pid);
  void branch_nested(uint64_t id, std::optional<CapsuleCgroup> cgroup, std::function<void()> on_gone, NestedMade made);
  void nested_branched(const Branched& reply, std::vector<UniqueFd>& fds);
  void nested_gone();
  TreeUsage read_tree(MemoryCount count) const;
  WorkspaceSize possible(WorkspaceSize wanted) const;
  void count_copies();

  struct Pending {
    uint64_t worker_id;
    UniqueFd link;
    WorkerStarted started;
  };
  struct Nesting {
    Start start;
    std::function<void()> on_gone;
    NestedMade made;
  };
  struct Guest {  // lives here, and is the child of another keeper
    std::weak_ptr<CapsuleProcess> guardian;
    pid_t pid_there = 0, pid = 0;
  };
  struct Ward {  // the other way round
    std::weak_ptr<CapsuleProcess> home;
    pid_t pid_at_home = 0, pid = 0;
  };
  size_t owed_answers() const {
    return branching_.size() + sweeping_.size() + keeping_.size() + nesting_.size() + comparing_.size();
  }

  Loop& loop_;
  Metrics& metrics_;
  WorkerConfig config_;
  CgroupKeeper& cgroups_;
  CgroupMode cgroup_mode_;
  CgroupLimits limits_;
  std::vector<AllowedHost> allowed_hosts_;
  std::unique_ptr<NetworkProxy> proxy_;
  std::optional<CapsuleCgroup> cgroup_;
  uint64_t memory_limit_bytes_ = 0;               // that the kernel holds it to; 0: none
  uint64_t tasks_wanted_ = 0;                     // without parked copies; 0: the profile's
  uint64_t task_limit_ = 0;                       // in force; 0: the profile's
  WorkspaceSize workspace_max_, workspace_size_;  // the profile's; in force
  Resizer resize_;
  size_t resizes_ = 0;  // not answered yet
  uint64_t id_;
  std::string name_, profile_;
  std::shared_ptr<ScratchPlace> workspace_;
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
  std::map<uint64_t, Asked> keeping_;                         // by request id
  std::map<uint64_t, Nesting> nesting_;                       // by request id
  std::map<uint64_t, std::function<void(bool)>> comparing_;   // by request id
  std::map<pid_t, std::shared_ptr<Worker>> workers_;          // children of the keeper, as it numbers them
  std::map<pid_t, std::function<void()>> copies_;             // the same that are snapshots
  std::map<pid_t, Ward> wards_;                               // those that live elsewhere
  std::map<pid_t, Guest> guests_;                             // by pid in the capsule
  std::shared_ptr<CapsuleProcess> around_;
  unsigned depth_ = 0;
  UniqueFd relay_;
  std::vector<UniqueFd> namespaces_;
  std::set<pid_t> nested_keepers_;  // as we number them
  size_t nested_ = 0;               // that are not gone
  uint64_t last_request_ = 0;
  bool placed_ = false;  // in its control group, or without one
  bool gone_ = false;
  bool destroyed_ = false;
  bool emptied_ = false;  // to be destroyed once nothing is inside any more
};

}  // namespace capsule
