// What a run or a session may have less of than its profile says, and what the kernel holds it to. Plain data; 0 is the
// profile's.
#pragma once

#include <cstdint>

namespace capsule {

struct WorkspaceSize {
  uint64_t bytes = 0, files = 0;  // those there already counted
  bool operator==(const WorkspaceSize&) const = default;
};

struct CapsuleBounds {
  uint64_t processes = 0;   // and threads, of all programs in the capsule
  uint64_t open_files = 0;  // of each process
  WorkspaceSize workspace;
  bool operator==(const CapsuleBounds&) const = default;
};

}  // namespace capsule
