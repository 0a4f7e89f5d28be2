// What a capsule sees of the file system, as far as it differs from the host: its own /proc, and a private, bounded
// /tmp with the workspace in it. Unmounted with the mount namespace; nothing needs cleaning up.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace capsule::sandbox {

inline constexpr const char* kWorkspace = "/tmp/workspace";  // current directory and HOME of every run

Status mount_proc();
Status mount_workspace(uint64_t bytes_max, uint64_t files_max);

}  // namespace capsule::sandbox
