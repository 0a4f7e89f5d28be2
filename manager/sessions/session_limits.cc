// What a session may have less of than its profile: put in force for every capsule and worker it gets, and again after
// a run that had less still.
#include "manager/pool/hard_limits.h"
#include "manager/sessions/session.h"

namespace capsule {

namespace {
WorkspaceSize workspace_of(const SessionLimits& limits) { return {limits.workspace_bytes, limits.workspace_files}; }
}  // namespace

// Between runs, when a copy may be made or a worker take another's place.
uint64_t Session::tasks_between_runs() const {
  return start_.limits.processes == 0 ? 0 : start_.limits.processes + RunSettings::kOwnTasks + kTasksOfCopying;
}

// For RLIMIT_NPROC, which is set once: with every copy it may ever have.
uint64_t Session::tasks_at_most() const {
  return tasks_between_runs() + start_.snapshots.kept + start_.snapshots.checkpoints + kSaves;
}

// False: not yet; ready() is called again, or the session fails.
bool Session::holds_limits() {
  const SessionLimits& own = start_.limits;
  const bool by_group = lease_.capsule->bound_tasks(tasks_between_runs());
  if (own.processes != 0 && !by_group && !lease_.capsule->has_own_processes()) {
    fail({Errc::kUnavailable,
          "its processes cannot be limited here: there is neither a control group that counts them "
          "nor a user namespace"});
    return false;
  }
  if (own.open_files != 0 || (own.processes != 0 && !by_group)) {
    const HardLimits hard{own.processes == 0 || by_group ? 0 : tasks_at_most(), own.open_files};
    const Status lowered = lower_hard_limits(lease_.worker->pid(), hard);
    if (!lowered) {
      if (lease_.worker->is_alive()) fail(lowered.error());  // else its end is on its way, and another comes
      return false;
    }
  }
  if (lease_.capsule->keeps_workspace_within(workspace_of(own))) {
    loosen();
    return true;
  }
  lease_.capsule->bound_workspace(
      workspace_of(own), *lease_.worker, [self = weak_from_this(), worker = lease_.worker](const Status& bounded) {
        const auto session = self.lock();
        if (!session || session->state_ == SessionState::kClosed || session->lease_.worker != worker) return;
        if (bounded) return session->ready();
        if (worker->is_alive()) session->fail(bounded.error());
      });
  return false;
}

// Whatever a run had less of; nobody waits for it, and a zygote that is not there now costs no session.
void Session::loosen() {
  lease_.capsule->bound_tasks(tasks_between_runs());
  if (lease_.capsule->holds_workspace_to(workspace_of(start_.limits))) return;
  // Where it fails, the next run tries again.
  lease_.capsule->bound_workspace(workspace_of(start_.limits), *lease_.worker, [](const Status&) {});
}

}  // namespace capsule
