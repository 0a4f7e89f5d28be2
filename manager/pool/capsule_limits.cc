// What a capsule may be held to while it lives, when a run or a session may have less than its profile. Nothing here is
// done for those that do not ask: what is in force is compared first.
#include <algorithm>

#include "base/posix_io.h"
#include "manager/pool/capsule_process.h"

namespace capsule {
namespace {

bool is_on(const std::vector<Layer>& layers, std::string_view name) {
  return std::any_of(layers.begin(), layers.end(),
                     [&](const Layer& layer) { return layer.name == name && layer.state == "on"; });
}

uint64_t within(uint64_t wanted, uint64_t most) { return wanted == 0 ? most : std::min(wanted, most); }

}  // namespace

bool CapsuleProcess::bound_memory(uint64_t bytes) {
  if (!cgroup_ || !cgroup_->bounds_memory()) return false;
  const uint64_t wanted = std::min(bytes, limits_.memory_bytes);
  if (wanted == memory_limit_bytes_) return true;
  if (!cgroup_->set_memory_limit(wanted)) return false;
  memory_limit_bytes_ = wanted;
  return true;
}

bool CapsuleProcess::bound_tasks(uint64_t tasks) {
  if (!cgroup_ || !cgroup_->bounds_tasks()) return false;
  tasks_wanted_ = tasks;
  const uint64_t wanted = within(tasks == 0 ? 0 : tasks + parked_copies(), limits_.tasks);
  const uint64_t in_force = task_limit_ == 0 ? limits_.tasks : task_limit_;
  if (wanted == in_force) return true;
  if (!cgroup_->set_task_limit(wanted)) return false;
  task_limit_ = wanted;
  return true;
}

// One has come or gone, here or in a capsule that this one's keeper watches over.
void CapsuleProcess::count_copies() {
  if (tasks_wanted_ != 0) bound_tasks(tasks_wanted_);
}

size_t CapsuleProcess::parked_copies() const {
  const auto lives_here = [this](const auto& copy) { return !wards_.contains(copy.first); };
  const auto own = std::count_if(copies_.begin(), copies_.end(), lives_here);
  const auto guests = std::count_if(guests_.begin(), guests_.end(), [](const auto& guest) {
    const auto guardian = guest.second.guardian.lock();
    return guardian && guardian->copies_.contains(guest.second.pid_there);
  });
  return static_cast<size_t>(own + guests);
}

bool CapsuleProcess::has_own_processes() const { return is_on(hello_.layers, "userns"); }

WorkspaceSize CapsuleProcess::possible(WorkspaceSize wanted) const {
  return {within(wanted.bytes, workspace_max_.bytes), within(wanted.files, workspace_max_.files)};
}

bool CapsuleProcess::holds_workspace_to(WorkspaceSize wanted) const {
  return resizes_ == 0 && workspace_size_ == possible(wanted);
}

bool CapsuleProcess::keeps_workspace_within(WorkspaceSize wanted) const {
  const WorkspaceSize size = possible(wanted);
  return resizes_ == 0 && workspace_size_.bytes <= size.bytes && workspace_size_.files <= size.files;
}

void CapsuleProcess::bound_workspace(WorkspaceSize wanted, const Worker& worker, Bounded done) {
  const WorkspaceSize size = possible(wanted);
  if (resizes_ == 0 && workspace_size_ == size) return done({});
  if (gone_ || destroyed_) return done(failure(Errc::kClosed, "the capsule is gone"));
  if (!is_on(hello_.layers, "root") || !is_on(hello_.layers, "userns") || !resize_) {
    return done(failure(Errc::kUnavailable, "capsules have no workspace of their own here; `capsule doctor` says why"));
  }
  ++resizes_;
  resize_(size, duplicate(worker.pidfd()),
          [self = shared_from_this(), size, done = std::move(done)](const Status& resized) {
            --self->resizes_;
            if (resized) self->workspace_size_ = size;
            done(resized);
          });
}

}  // namespace capsule
