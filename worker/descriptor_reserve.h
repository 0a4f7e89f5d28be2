// Room for what comes with a request when the program has opened all it may. A worker's hard limit of open files is
// kReservedDescriptors above the soft one that programs meet. The soft one is raised to it whenever no program runs, so
// also in copies; a program that raises it itself and uses all harms its own next run only.
#pragma once

#include <sys/resource.h>

namespace capsule::descriptor_reserve {

// A link, the namespaces of a nested capsule, three streams, and what is read of /proc.
inline constexpr rlim_t kReservedDescriptors = 16;

// Raises; gives what the soft limit was, for close(). Async-signal-safe.
rlim_t open();
void close(rlim_t soft);

}  // namespace capsule::descriptor_reserve
