#include "worker/sandbox/nested.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/sandbox/copy_tree.h"
#include "worker/sandbox/id_maps.h"
#include "worker/sandbox/layer_log.h"
#include "worker/sandbox/network.h"
#include "worker/sandbox/privileges.h"
#include "worker/sandbox/root.h"

namespace capsule::sandbox {
namespace {

constexpr std::pair<uint64_t, const char*> kOrder[] = {{CLONE_NEWUSER, "user"}, {CLONE_NEWPID, "pid"},
                                                       {CLONE_NEWNS, "mnt"},    {CLONE_NEWIPC, "ipc"},
                                                       {CLONE_NEWNET, "net"},   {CLONE_NEWUTS, "uts"}};

UniqueFd open_directory(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// What is there is looked at before it is copied: a change in between makes the copy look old, not new.
Status renew(const RootPlan::Tmpfs& place, NestedLayers& entered) {
  UniqueFd before = open_directory(place.target);
  if (!before) return system_failure("open " + place.target);
  const auto fingerprint = fingerprint_of(before.get());
  if (Status mounted = mount_scratch(place); !mounted) return mounted;
  const UniqueFd after = open_directory(place.target);
  if (!after) return system_failure("open " + place.target);
  if (Status copied = copy_tree(before.get(), after.get(), entered.left_out); !copied) return copied;
  entered.places.push_back({std::move(before), fingerprint});
  return {};
}

Status renew_all(const RootPlan& plan, NestedLayers& entered) {
  umask(022);
  for (const RootPlan::Tmpfs& place : plan.scratch) {
    if (Status renewed = renew(place, entered); !renewed) return renewed;
  }
  return {};
}

}  // namespace

std::vector<uint64_t> namespaces_to_enter(parked::Namespaces namespaces) {
  std::vector<uint64_t> order;
  for (const auto& [flag, name] : kOrder) {
    if (parked::has(namespaces, flag)) order.push_back(flag);
  }
  return order;
}

Result<std::vector<UniqueFd>> open_own_namespaces(parked::Namespaces namespaces) {
  std::vector<UniqueFd> all;
  for (const auto& [flag, name] : kOrder) {
    if (!parked::has(namespaces, flag)) continue;
    UniqueFd one(open((std::string("/proc/self/ns/") + name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!one) return system_failure(std::string("open the namespace ") + name);
    all.push_back(std::move(one));
  }
  return all;
}

NestedLayers enter_nested_capsule(const Recipe& recipe, const CapsuleRequest& request, UniqueFd ruleset) {
  NestedLayers entered;
  LayerLog log;
  log.on("descriptors");
  log.on("environment");
  note_namespaces(request.namespaces, log);
  (void)set_dumpable(Dumpable::kYes);  // else /proc/self, and with it the id maps, are somebody else's
  entered.ready = log.apply("id_maps", [&] { return write_id_maps(request.identity.user, request.identity.group); })
                      .and_then([] { return make_mounts_private(); })
                      .and_then([&] { return log.apply("root", [&] { return renew_all(recipe.root, entered); }); })
                      .and_then([&] { return log.apply("proc", mount_proc); });
  if (entered.ready) {
    set_up_host_name(request.namespaces, log);
    set_up_network(recipe.policy, request.namespaces, entered.capsule, log);
    entered.capsule.has_root = true;
    entered.capsule.ruleset = std::move(ruleset);
  }
  log.apply("capabilities", drop_capabilities);
  log.apply("no_new_privs", no_new_privileges);
  log.apply("dumpable", [] { return set_dumpable(Dumpable::kNo); });
  entered.capsule.applied = std::move(log).take();
  return entered;
}

}  // namespace capsule::sandbox
