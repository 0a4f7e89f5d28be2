// What a keeper does once its capsule is set up: takes requests of the manager, reaps, answers what its processes ask.
// Ends with the process.
#pragma once

#include "worker/keeper.h"
#include "worker/sandbox/tree_fingerprint.h"

namespace capsule {

struct KeeperParts {
  RawChannel channel;
  UniqueFd relay;         // of a capsule inside another one: questions of its processes
  UniqueFd child_events;  // a signalfd
  sandbox::CapsuleLayers capsule;
  std::vector<sandbox::CopiedPlace> places = {};  // of a capsule inside another one
};
[[noreturn]] void keep_capsule(KeeperParts parts, const KeeperOptions& options);

}  // namespace capsule
