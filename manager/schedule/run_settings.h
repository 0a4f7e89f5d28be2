// What holds for one run: its own wishes within what its session and its profile allow. Pure. A wish above is refused
// with the name of who says so, never quietly lowered.
#pragma once

#include <map>
#include <string>

#include "manager/config.h"
#include "manager/link/run_ending.h"
#include "manager/link/spare_memory.h"
#include "manager/pool/capsule_bounds.h"
#include "protocol/message.h"

namespace capsule {

struct RunSettings {
  static constexpr uint64_t kOwnTasks = 2;  // beside its programs' processes and threads: the keeper, the link thread

  RunLimits limits;
  OutputPolicy output_policy{};
  RecordedContent recorded{};
  uint64_t recorded_output_bytes = 0;
  Duration slow_after{};                       // its stack is recorded then; 0: never
  size_t parked_copies = 0;                    // of its session, in the same capsule
  SpareMemory spare_memory;                    // of its session
  uint64_t program_memory_bytes = 0;           // what the worker makes its soft limit of; 0: the profile's
  CapsuleBounds bounds;                        // as they are for this run
  CapsuleBounds tightened;                     // the same where that is less than the profile's, else 0
  unsigned worker_user = 0;                    // owner of the pipes, so that /dev/stdout can be reopened inside
  std::map<std::string, std::string> secrets;  // of its session; gone from here once they are sent

  // Of the whole capsule but for parked copies, where processes are tightened; else 0.
  uint64_t tasks() const { return tightened.processes == 0 ? 0 : tightened.processes + kOwnTasks; }
};

// What becomes of a wish for more than there may be: an error, or as much as there may be.
enum class Above { kRefused, kLowered };
Result<RunSettings> run_settings(const Execute& request, const ProfileSettings& profile, const SessionLimits& session,
                                 Above above = Above::kRefused);

// Whether a session of this profile may have these.
Status check_session_limits(const SessionLimits& wanted, const ProfileSettings& profile);
// What a fork of a session with limits `own` has when it asks for `wanted`: that, and the original's for the rest.
// Above the original's is an error, as for a run.
Result<SessionLimits> limits_of_fork(const SessionLimits& wanted, const SessionLimits& own,
                                     const ProfileSettings& profile);

// Every layer that can be in a verdict, be demanded with `require`, and be shown by info: the closed list.
bool is_layer_name(std::string_view name);
// kInvalid for a name that is no layer's.
Status check_required(const std::vector<std::string>& required);
// Those of `required` that are not on, with their reasons; empty: all are.
std::string missing_layers(const std::vector<std::string>& required, const std::vector<Layer>& layers);

}  // namespace capsule
