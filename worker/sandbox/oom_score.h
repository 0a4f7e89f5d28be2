// Whom the kernel takes first when a capsule is out of memory: its worker, never its keeper or a snapshot.
#pragma once

namespace capsule::sandbox {

inline constexpr const char* kWorkerOomScore = "500";
inline constexpr const char* kParkedOomScore = "0";

}  // namespace capsule::sandbox
