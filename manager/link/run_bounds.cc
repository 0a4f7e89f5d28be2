#include "manager/link/run_bounds.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <utility>

namespace capsule {
namespace {

// The kernel counts no refusals here, but says since 6.2 how many are open. That all are taken shows while the program
// still holds them; one that has closed some by its end leaves no trace.
bool has_all_open(pid_t pid, uint64_t most) {
  struct stat descriptors {};
  if (most == 0 || stat(("/proc/" + std::to_string(pid) + "/fd").c_str(), &descriptors) != 0) return false;
  return static_cast<uint64_t>(descriptors.st_size) >= most;
}

}  // namespace

void RunBounds::put_in_force(const Lease& lease, const RunSettings& settings, Done done) {
  CapsuleProcess& capsule = *lease.capsule;
  const uint64_t tasks = settings.tasks();
  if (tasks != 0) refused_before_ = capsule.refused_tasks();
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

std::string RunBounds::met(const Lease& lease, const RunSettings& settings) const {
  const CapsuleBounds& bounds = settings.tightened;
  if (bounds.processes != 0 && lease.capsule->refused_tasks() > refused_before_) {
    return "processes=" + std::to_string(bounds.processes);
  }
  if (has_all_open(lease.worker->pid(), settings.bounds.open_files)) {
    return "open_files=" + std::to_string(settings.bounds.open_files);
  }
  if (bounds.workspace == WorkspaceSize{} || is_waiting() || !lease.capsule->workspace()) return "";
  struct statvfs place {};
  if (fstatvfs(lease.capsule->workspace()->fd(), &place) != 0) return "";
  if (bounds.workspace.bytes != 0 && place.f_bfree == 0) {
    return "workspace_bytes=" + std::to_string(bounds.workspace.bytes);
  }
  if (bounds.workspace.files != 0 && place.f_ffree == 0) {
    return "workspace_files=" + std::to_string(bounds.workspace.files);
  }
  return "";
}

}  // namespace capsule
