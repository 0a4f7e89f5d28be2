// Pid 1 of a capsule: sets the layers up, forks workers on request, reaps everything, reports how its workers ended.
// Runs no user code and no Python. Single-threaded; all signals blocked.
#pragma once

#include <string>

#include "base/clock.h"
#include "worker/parked.h"
#include "worker/raw_channel.h"
#include "worker/sandbox/layers.h"

namespace capsule {

struct KeeperOptions {
  std::string name;
  sandbox::CapsuleRequest capsule;
  const sandbox::Recipe* recipe = nullptr;  // the zygote's, which this process has a copy of
  std::string workspace;                    // for when no private one can be mounted
  std::string profile;
  Duration heartbeat_interval{};
};

// Never returns: ends when the manager closes the link, and takes the capsule with it.
[[noreturn]] void serve_as_keeper(UniqueFd link, const KeeperOptions& options);

}  // namespace capsule
