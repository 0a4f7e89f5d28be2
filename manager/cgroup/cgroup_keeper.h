// Makes, fills and removes the control groups of capsules, on a thread of its own: moving a process into a group waits
// for a grace period of the kernel (13 ms here), which the loop must not. Also removes, in its first seconds, what
// killed managers left. Owned by the manager.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "manager/async/loop.h"
#include "manager/cgroup/capsule_cgroup.h"
#include "protocol/message.h"

namespace capsule {

class CgroupKeeper {
 public:
  // On the loop's thread.
  using Placed = std::function<void(Result<CapsuleCgroup>)>;

  // At the limit a capsule is refused; a pool starts few at once, so only a stuck kernel gets there.
  static constexpr size_t kJobs = 1024;

  CgroupKeeper(Loop& loop, CgroupRoot root);
  ~CgroupKeeper();
  CgroupKeeper(const CgroupKeeper&) = delete;
  CgroupKeeper& operator=(const CgroupKeeper&) = delete;

  bool has_groups() const { return root_.version != CgroupVersion::kNone; }
  const CgroupRoot& root() const { return root_; }
  Layer layer() const;

  void place(const std::string& name, const CgroupLimits& limits, pid_t pid, Placed placed);
  // Only makes it, for a keeper that enters by itself. Then it takes a fraction of a millisecond.
  bool can_be_entered() const { return root_.version == CgroupVersion::kV1; }
  void make(const std::string& name, const CgroupLimits& limits, Placed made);
  // Later, when its processes are gone; what cannot be removed is left to the next manager.
  void remove(CapsuleCgroup group);

 private:
  static constexpr pid_t kNobody = 0;

  struct Job {
    std::string name;
    CgroupLimits limits;
    pid_t pid = kNobody;
    Placed placed;
  };

  void take(Job job);

  void work();
  void run(Job job);
  bool remove_dead() const;  // false: some of it is still in use

  Loop& loop_;
  CgroupRoot root_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::vector<CapsuleCgroup> leaving_;  // bounded by the capsules there can be
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace capsule
