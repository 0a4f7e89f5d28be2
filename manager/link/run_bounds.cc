#include "manager/link/run_bounds.h"

#include <utility>

namespace capsule {

void RunBounds::put_in_force(const Lease& lease, const RunSettings& settings, Done done) {
  CapsuleProcess& capsule = *lease.capsule;
  const uint64_t tasks = settings.tasks();
  if (!capsule.bound_tasks(tasks)) {
    tasks_for_worker_ = tasks == 0 ? 0 : tasks + settings.parked_copies;
    if (tasks != 0 && !capsule.has_own_processes()) {
      return done(failure(Errc::kUnavailable,
                          "processes cannot be limited here: there is neither a control group that counts them nor a "
                          "user namespace"));
    }
  }
  const WorkspaceSize size = settings.tightened.workspace;
  if (capsule.holds_workspace_to(size)) return done({});
  done_ = std::make_shared<Done>(std::move(done));
  capsule.bound_workspace(size, *lease.worker, [this, weak = std::weak_ptr(done_)](const Status& bounded) {
    if (!weak.lock()) return;
    const auto told = std::exchange(done_, nullptr);
    if (bounded) return (*told)({});
    (*told)(failure(bounded.error().code, "its workspace cannot be limited so far: " + bounded.error().message));
  });
}

}  // namespace capsule
