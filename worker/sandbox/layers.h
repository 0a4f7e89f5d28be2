// The layers of a capsule, in the one order in which they can be applied; each says whether it holds. Nothing here is
// ever weakened silently: what could not be had is in the list with its reason, and travels in `hello` to `info` and
// the verdicts.
//
// The zygote prepares what all capsules of a profile share (Recipe), the keeper applies what holds for a capsule, each
// worker what holds for user code.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "protocol/message.h"
#include "worker/parked.h"
#include "worker/sandbox/landlock_proof.h"
#include "worker/sandbox/policy.h"
#include "worker/sandbox/root_plan.h"
#include "worker/sandbox/seccomp.h"

namespace capsule::sandbox {

// Made once by the zygote, inherited by all its capsules.
struct Recipe {
  Policy policy;
  RootPlan root;
  landlock::Proof landlock;
  Result<seccomp::Program> local_sockets;              // where they stay inside the capsule
  std::optional<Result<seccomp::Program>> no_sockets;  // without a network namespace; compiled when needed
};
Recipe make_recipe(const Prepare& prepare, landlock::Proof landlock);
// Before a capsule with these namespaces is cloned.
void complete_recipe(Recipe& recipe, parked::Namespaces namespaces);

enum class IdMaps {
  kOwn,        // the keeper maps the id it has
  kByManager,  // they are written already, for Identity
};

struct CapsuleRequest {
  parked::Namespaces namespaces;
  Identity identity;
  IdMaps id_maps;
};

struct Applied {
  std::vector<Layer> layers;
  std::map<std::string, uint64_t> timings_us;  // "layer_<name>"
};

struct CapsuleLayers {
  Applied applied;
  bool has_root = false;
  UniqueFd ruleset;  // of Landlock, for the workers; none where the host's root is all there is
  UniqueFd proxy;    // listens inside
};

// The keeper's part, right after it was cloned.
CapsuleLayers enter_capsule(const Recipe& recipe, const CapsuleRequest& request);

// Parts of it, for capsules inside others too (nested.h).
class LayerLog;
void note_namespaces(parked::Namespaces made, LayerLog& log);
void set_up_host_name(parked::Namespaces namespaces, LayerLog& log);
void set_up_network(const Policy& policy, parked::Namespaces namespaces, CapsuleLayers& entered, LayerLog& log);

// For the manager, which reads and writes files in it through this descriptor. None when there is no workspace.
UniqueFd open_workspace(const CapsuleLayers& entered, const std::string& fallback_workspace);

struct WorkerRequest {
  parked::Namespaces namespaces;
  bool has_root;
  int ruleset;                     // or -1
  std::string fallback_workspace;  // given by the manager for when there is no private root
};

struct WorkerLayers {
  Applied applied;
  UniqueFd listener;  // for the keeper: the calls it answers arrive there. None: there is no filter
};

// The worker's part, right after it was forked and before it has any other thread: user code will run here.
WorkerLayers enter_worker(const Recipe& recipe, const WorkerRequest& request);

}  // namespace capsule::sandbox
