#include "worker/sandbox/policy.h"

namespace capsule::sandbox {
namespace {

Network network_of(const std::string& word) {
  if (word == "loopback") return Network::kLoopback;
  if (word == "proxy") return Network::kProxy;
  return Network::kNone;  // also for a word nobody knows: the strictest
}

uint64_t or_else(uint64_t value, uint64_t standard) { return value != 0 ? value : standard; }

}  // namespace

Policy make_policy(const Prepare& prepare) {
  Policy policy;
  policy.network = network_of(prepare.network);
  policy.subprocess = prepare.subprocess ? Subprocess::kAllowed : Subprocess::kRefused;
  policy.mounts = prepare.mounts;
  policy.packages = prepare.packages;
  policy.workspace_bytes = prepare.workspace_bytes;
  policy.workspace_files = prepare.workspace_files;
  policy.tmp_bytes = or_else(prepare.tmp_bytes, prepare.workspace_bytes);
  policy.shm_bytes = or_else(prepare.shm_bytes, prepare.workspace_bytes);
  policy.memory_soft_bytes = prepare.memory_soft_bytes;
  policy.processes = prepare.processes;
  policy.open_files = prepare.open_files;
  return policy;
}

}  // namespace capsule::sandbox
