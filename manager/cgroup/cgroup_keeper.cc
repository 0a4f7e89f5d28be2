#include "manager/cgroup/cgroup_keeper.h"

#include <csignal>

#include "manager/cgroup/detect.h"
#include "manager/cgroup/group_claim.h"

namespace capsule {
namespace {
constexpr milliseconds kRemoveRetry{50};
constexpr int kLastRemovals = 20;  // at the end; a second together
constexpr int kDeadLooks = 100;    // five seconds: capsules of a manager that was killed just now are ending
}  // namespace

CgroupKeeper::CgroupKeeper(Loop& loop, CgroupRoot root) : loop_(loop), root_(std::move(root)) {
  if (!has_groups()) return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the loop's
  thread_ = std::thread([this] { work(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

CgroupKeeper::~CgroupKeeper() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
  remove_groups_of(root_);
}

Layer CgroupKeeper::layer() const { return layer_of(root_); }

void CgroupKeeper::place(const std::string& name, const CgroupLimits& limits, pid_t pid, Placed placed) {
  take({name, limits, pid, std::move(placed)});
}

void CgroupKeeper::make(const std::string& name, const CgroupLimits& limits, Placed made) {
  take({name, limits, kNobody, std::move(made)});
}

void CgroupKeeper::take(Job job) {
  std::unique_lock lock(mutex_);
  if (jobs_.size() >= kJobs) {
    lock.unlock();
    return job.placed(failure(Errc::kUnavailable, "too many capsules wait for their control group"));
  }
  jobs_.push_back(std::move(job));
  lock.unlock();
  changed_.notify_one();
}

void CgroupKeeper::remove(CapsuleCgroup group) {
  {
    const std::lock_guard lock(mutex_);
    leaving_.push_back(std::move(group));
  }
  changed_.notify_one();
}

void CgroupKeeper::work() {
  int last_removals = kLastRemovals, dead_looks = kDeadLooks;
  for (std::unique_lock lock(mutex_); !(stopping_ && (leaving_.empty() || last_removals-- == 0));) {
    if (!jobs_.empty()) {
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      run(std::move(job));
      lock.lock();
    } else if (!leaving_.empty()) {
      std::vector<CapsuleCgroup> leaving = std::exchange(leaving_, {});
      lock.unlock();
      std::erase_if(leaving, [](CapsuleCgroup& group) { return group.remove(); });
      lock.lock();
      for (CapsuleCgroup& group : leaving) leaving_.push_back(std::move(group));
      if (!leaving_.empty() && jobs_.empty()) changed_.wait_for(lock, kRemoveRetry);
    } else if (dead_looks > 0 && !stopping_) {
      lock.unlock();
      dead_looks = remove_dead() ? 0 : dead_looks - 1;
      lock.lock();
      if (dead_looks > 0 && jobs_.empty() && !stopping_) changed_.wait_for(lock, kRemoveRetry);
    } else {
      changed_.wait(lock);
    }
  }
}

bool CgroupKeeper::remove_dead() const {
  bool all = true;
  for (const std::string& place : root_.places) all &= remove_dead_groups(place);
  return all;
}

void CgroupKeeper::run(Job job) {
  auto group = CapsuleCgroup::make(root_, job.name, job.limits);
  if (group && job.pid != kNobody) {
    if (const Status moved = group->place(job.pid); !moved) {
      remove(std::move(*group));
      group = tl::unexpected<Error>(moved.error());
    }
  }
  // A task has to be copyable, a group is not.
  auto result = std::make_shared<Result<CapsuleCgroup>>(std::move(group));
  loop_.post([result, placed = std::move(job.placed)] { placed(std::move(*result)); });
}

}  // namespace capsule
