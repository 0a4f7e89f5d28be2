// Where things live on disk: socket, scratch and cache. Flag, then systemd's variables, then XDG, then a place of the
// user's own.
#pragma once

#include <string>

#include "base/result.h"
#include "manager/config.h"

namespace capsule {

std::string default_socket();

// Directories and files of the host that profiles name (mounts, packages): kNotFound for the first that is not there.
Status check_profile_paths(const Config& config);

// For workspaces of capsules that cannot mount a private one. Empty when none can be made.
std::string make_scratch_dir(const std::string& state_dir);

// For durable checkpoints, beside the scratch directory. Empty when none can be made.
std::string make_checkpoint_dir(const std::string& state_dir);

// For records of runs, beside them. Empty when none can be made.
std::string make_records_dir(const std::string& state_dir);

// For the audit log, beside them; made when there is something to write. Empty when there is no state directory.
std::string audit_dir(const std::string& state_dir);

// For traces.jsonl, beside it; made when there is something to write. Empty when there is no state directory.
std::string trace_dir(const std::string& state_dir);

// The file of API keys for HTTP. Empty when there is no state directory.
std::string api_key_file(const std::string& state_dir);

// For what preloaded libraries cache across starts (matplotlib's list of fonts). Owned by `worker_user` (0: ours).
// Empty when none can be made.
std::string make_cache_dir(unsigned worker_user);

}  // namespace capsule
