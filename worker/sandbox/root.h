// The private root of a capsule: a file system of its own with a read-only view of the interpreter and its libraries,
// scratch of bounded size, and nothing else of the host's. Needs a mount namespace and all capabilities in it. Undone
// by the end of the mount namespace.
#pragma once

#include "base/result.h"
#include "worker/sandbox/root_plan.h"

namespace capsule::sandbox {

// First of all: nothing mounted in here travels back to the host.
Status make_mounts_private();

// Between make_root() and seal_root() the old root is at kOldRoot, and what is mounted may still be changed.
inline constexpr const char* kOldRoot = "/.host";
Status mount_scratch(const RootPlan::Tmpfs& wanted);  // one of the plan's
Status make_root(const RootPlan& plan, Identity identity);
Status seal_root();
// After a make_root() that failed half-way: back to the host's root.
void abandon_root();

// /proc of the capsule's own processes. When a masked /proc of the host (containers) forbids that, the host's is
// shown: without any, neither heartbeats nor libraries work. kUnavailable says so.
Status mount_proc();

}  // namespace capsule::sandbox
