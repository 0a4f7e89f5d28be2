#include "worker/sandbox/layers.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "base/clock.h"
#include "worker/sandbox/id_maps.h"
#include "worker/sandbox/landlock.h"
#include "worker/sandbox/layer_log.h"
#include "worker/sandbox/network.h"
#include "worker/sandbox/oom_score.h"
#include "worker/sandbox/privileges.h"
#include "worker/sandbox/rlimits.h"
#include "worker/sandbox/root.h"

namespace capsule::sandbox {
namespace {

constexpr const char* kHostName = "capsule";
constexpr const char* kNoNamespaces = "the kernel refused it, or the profile turned namespaces off";

Result<seccomp::Program> compile_for(const Policy& policy, seccomp::Sockets sockets, int abi) {
  return seccomp::compile(seccomp::make_table(policy, {sockets, abi}));
}

Status take_identity(const CapsuleRequest& request) {
  if (request.id_maps == IdMaps::kOwn) return write_id_maps(request.identity.user, request.identity.group);
  return become(request.identity.user, request.identity.group);
}

// Root and /proc are one piece of work: /proc can be made only as long as the host's is in sight.
bool enter_root(const Recipe& recipe, const CapsuleRequest& request, LayerLog& log) {
  Status proc;
  const Status root = log.apply("root", [&]() -> Status {
    auto made = make_mounts_private().and_then([&] { return make_root(recipe.root, request.identity); });
    if (!made) {
      abandon_root();
      return made;
    }
    proc = log.timed("proc", mount_proc);
    return seal_root();
  });
  if (!root) {
    log.off("proc", "there is no private root: " + root.error().message);
    return false;
  }
  log.note("proc", proc);
  return true;
}

void enter_namespaces(const Recipe& recipe, const CapsuleRequest& request, CapsuleLayers& entered, LayerLog& log) {
  const Status identity = log.apply("id_maps", [&] { return take_identity(request); });
  if (identity) {
    set_up_host_name(request.namespaces, log);
    if (parked::has(request.namespaces, CLONE_NEWNS)) {
      entered.has_root = enter_root(recipe, request, log);
    } else {
      for (const char* name : {"root", "proc"})
        log.off(name, "there is no mount namespace: " + std::string(kNoNamespaces));
    }
    set_up_network(recipe.policy, request.namespaces, entered, log);
    return;
  }
  for (const char* name : {"root", "proc"}) log.off(name, "the id maps could not be written");
}

landlock::Scopes scopes_for(const Recipe& recipe, parked::Namespaces namespaces) {
  // Namespaces say the same, and more; scopes are for where there are none, and where they work.
  const bool has_both = parked::has(namespaces, CLONE_NEWPID) && parked::has(namespaces, CLONE_NEWNET);
  return !has_both && recipe.landlock.can_scope ? landlock::Scopes::kSignalsAndAbstractSockets
                                                : landlock::Scopes::kNone;
}

Status restrict_files(const Recipe& recipe, const WorkerRequest& request) {
  if (request.ruleset >= 0) return landlock::restrict_self(request.ruleset);
  // The host's /proc/self differs from worker to worker, so each has rules of its own.
  const auto rules = landlock::rules_for_host_root(recipe.policy, request.fallback_workspace, recipe.landlock.abi);
  auto ruleset =
      landlock::make_ruleset(rules, recipe.policy, scopes_for(recipe, request.namespaces), recipe.landlock.abi);
  if (!ruleset) return tl::unexpected<Error>(ruleset.error());
  return landlock::restrict_self(ruleset->get());
}

Status load_filter(const Recipe& recipe, const WorkerRequest& request, UniqueFd& listener) {
  const bool is_local = parked::has(request.namespaces, CLONE_NEWNET) || !recipe.no_sockets;
  const auto& program = is_local ? recipe.local_sockets : *recipe.no_sockets;
  if (!program) return tl::unexpected<Error>(program.error());
  auto loaded = seccomp::load(*program);
  if (!loaded) return tl::unexpected<Error>(loaded.error());
  listener = std::move(*loaded);
  return {};
}

}  // namespace

void note_namespaces(parked::Namespaces made, LayerLog& log) {
  constexpr std::pair<const char*, uint64_t> kNames[] = {{"userns", CLONE_NEWUSER}, {"pidns", CLONE_NEWPID},
                                                         {"mountns", CLONE_NEWNS},  {"netns", CLONE_NEWNET},
                                                         {"ipcns", CLONE_NEWIPC},   {"utsns", CLONE_NEWUTS}};
  for (const auto& [name, flag] : kNames) {
    parked::has(made, flag) ? log.on(name) : log.off(name, kNoNamespaces);
  }
}

void set_up_host_name(parked::Namespaces namespaces, LayerLog& log) {
  if (!parked::has(namespaces, CLONE_NEWUTS)) return;
  if (sethostname(kHostName, std::char_traits<char>::length(kHostName)) != 0) {
    log.degrade("utsns", system_failure("sethostname").value().message);
  }
}

void set_up_network(const Policy& policy, parked::Namespaces namespaces, CapsuleLayers& entered, LayerLog& log) {
  if (policy.network == Network::kNone || !parked::has(namespaces, CLONE_NEWNET)) return;
  const Status up = log.timed("network", [&] {
    return bring_loopback_up().and_then([&]() -> Status {
      if (policy.network != Network::kProxy) return {};
      auto listening = listen_for_proxy();
      if (!listening) return tl::unexpected<Error>(listening.error());
      entered.proxy = std::move(*listening);
      return {};
    });
  });
  if (!up) log.degrade("netns", up.error().message);
}

Recipe make_recipe(const Prepare& prepare, landlock::Proof landlock) {
  Recipe recipe{make_policy(prepare), {}, landlock, {}, std::nullopt};
  recipe.root = plan_root(recipe.policy, look_at_host());
  recipe.local_sockets = compile_for(recipe.policy, seccomp::Sockets::kLocal, recipe.landlock.abi);
  return recipe;
}

void complete_recipe(Recipe& recipe, parked::Namespaces namespaces) {
  if (parked::has(namespaces, CLONE_NEWNET) || recipe.no_sockets) return;
  recipe.no_sockets = compile_for(recipe.policy, seccomp::Sockets::kNone, recipe.landlock.abi);
}

CapsuleLayers enter_capsule(const Recipe& recipe, const CapsuleRequest& request) {
  CapsuleLayers entered;
  LayerLog log;
  log.on("descriptors");  // the zygote's first act, and the first of each of its children
  log.on("environment");
  note_namespaces(request.namespaces, log);
  if (parked::has(request.namespaces, CLONE_NEWUSER)) {
    enter_namespaces(recipe, request, entered, log);
  } else {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (const char* name : {"id_maps", "root", "proc"}) log.off(name, kNoNamespaces);
  }
  if (!entered.has_root) log.add("root", "the workspace is a directory of the host, without a limit of bytes or files");
  if (entered.has_root) {
    (void)log.timed("landlock_rules", [&]() -> Status {
      auto ruleset = landlock::make_ruleset(landlock::rules_for_private_root(recipe.policy, recipe.landlock.abi),
                                            recipe.policy, scopes_for(recipe, request.namespaces), recipe.landlock.abi);
      if (!ruleset) return tl::unexpected<Error>(ruleset.error());  // each worker tries, and says why not
      entered.ruleset = std::move(*ruleset);
      return {};
    });
  }
  log.apply("capabilities", drop_capabilities);
  log.apply("no_new_privs", no_new_privileges);
  // Its workers have the same user and must not read or trace it.
  log.apply("dumpable", [] { return set_dumpable(Dumpable::kNo); });
  entered.applied = std::move(log).take();
  return entered;
}

UniqueFd open_workspace(const CapsuleLayers& entered, const std::string& fallback_workspace) {
  const std::string path = entered.has_root ? kWorkspace : fallback_workspace;
  return UniqueFd(open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

WorkerLayers enter_worker(const Recipe& recipe, const WorkerRequest& request) {
  setsid();                            // a process group of its own: kill(0, …) is for what it started
  (void)set_dumpable(Dumpable::kYes);  // the manager reads /proc of running workers
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  write_own_oom_score(kWorkerOomScore);
  if ((!request.has_root || chdir(kWorkspace) != 0) && chdir(request.fallback_workspace.c_str()) != 0) {
    (void)!chdir("/");
  }
  WorkerLayers entered;
  LayerLog log;
  log.apply("rlimits", [&] { return limit_resources(recipe.policy, request.namespaces); });
  const Status files = log.apply("landlock", [&] { return restrict_files(recipe, request); });
  if (files) log.detail("landlock", "ABI " + std::to_string(recipe.landlock.abi));
  const Status filter = log.apply("seccomp", [&] { return load_filter(recipe, request, entered.listener); });
  filter ? log.on("kill_guard") : log.off("kill_guard", "there is no seccomp filter");
  entered.applied = std::move(log).take();
  return entered;
}

}  // namespace capsule::sandbox
