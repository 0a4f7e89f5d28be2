// Puts in force what one run may have less of than its profile, before any of its code is there: processes, open files,
// the workspace. For a run that asks for nothing that is a comparison; what an earlier run of its session left in force
// comes off.
//
// A pids control group holds the capsule to its processes. Without one the worker does, with RLIMIT_NPROC, as the
// profile's limit always does too; it also holds the open files (docs/SECURITY.md says how far that goes).
#pragma once

#include <functional>
#include <memory>

#include "manager/pool/pool.h"
#include "manager/schedule/run_settings.h"

namespace capsule {

class RunBounds {
 public:
  using Done = std::function<void(const Status&)>;

  // Calls `done` once, before it returns or later from the loop; not any more when this object is gone. kRefused: more
  // is in the workspace already. kUnavailable: cannot be had here, or now.
  void put_in_force(const Lease& lease, const RunSettings& settings, Done done);

  bool is_waiting() const { return done_ != nullptr; }
  // Which of them the programs have come up against, as far as the kernel tells: "processes=4", or nothing. They met it
  // as an error of their own.
  std::string met(const Lease& lease, const RunSettings& settings) const;
  // To be held by the worker. 0: nothing.
  uint64_t tasks_for_worker() const { return tasks_for_worker_; }

 private:
  std::shared_ptr<Done> done_;  // while a workspace is on its way to its size
  uint64_t tasks_for_worker_ = 0;
  uint64_t refused_before_ = 0;  // tasks, in the capsule's life
};

}  // namespace capsule
