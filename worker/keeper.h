// Pid 1 of a capsule: sets the layers up, forks workers on request, reaps everything, reports how its workers ended.
// Runs no user code and no Python. Single-threaded; all signals blocked.
//
// With `forks_ahead` the first worker is forked as soon as the capsule is set up, and waits to be one: the fork and
// what the interpreter does after it are the longer half of a start (docs/decisions/0023).
//
// A capsule may have others inside, for copies of its live session. The copies in all of them are children of the
// outermost keeper, which reaps and reports them and hears what their filters ask; the keepers inside know the numbers
// that their processes use. A keeper inside is the child of the keeper around it.
#pragma once

#include <string>
#include <vector>

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
  bool forks_ahead = false;  // its first worker, before it is asked for
};

// Never returns: ends when the manager closes the link, and takes the capsule with it.
[[noreturn]] void serve_as_keeper(UniqueFd link, const KeeperOptions& options);

// The same for a capsule inside another one, whose keeper forked this process.
struct NestedStart {
  UniqueFd link;
  UniqueFd relay;  // sandbox/guard_relay.h
  UniqueFd ruleset;
  std::vector<UniqueFd> doors;  // of control groups
};
[[noreturn]] void serve_as_nested_keeper(NestedStart start, const KeeperOptions& options);

}  // namespace capsule
