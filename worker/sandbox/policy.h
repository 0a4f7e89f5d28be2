// What a profile wants of its sandbox, as the zygote was told; made once and inherited by every capsule. Sizes are
// bytes. Nothing here has been checked against the kernel yet: that is what the layers report.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/message.h"

namespace capsule::sandbox {

inline constexpr const char* kWorkspace = "/var/workspace";  // current directory and HOME of every run

enum class Network {
  kNone,      // no socket but local ones
  kLoopback,  // an interface of its own, nothing beyond
  kProxy,     // loopback, and a socket on it that the manager answers
};
enum class Subprocess { kAllowed, kRefused };

struct Policy {
  Network network = Network::kNone;
  Subprocess subprocess = Subprocess::kAllowed;
  std::vector<Mount> mounts;
  std::vector<std::string> packages;
  uint64_t workspace_bytes = 0, workspace_files = 0;
  uint64_t tmp_bytes = 0, shm_bytes = 0;  // files: as the workspace
  uint64_t memory_soft_bytes = 0;         // 0: no limit
  uint64_t processes = 0;                 // 0: no limit
  uint64_t open_files = 0;                // 0: as inherited
};

Policy make_policy(const Prepare& prepare);

// Who a capsule's processes are. Outside, and inside: ids are mapped to themselves.
struct Identity {
  uid_t user = 0;
  gid_t group = 0;
};

}  // namespace capsule::sandbox
