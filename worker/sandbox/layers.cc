#include "worker/sandbox/layers.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "worker/sandbox/id_maps.h"
#include "worker/sandbox/mounts.h"
#include "worker/sandbox/privileges.h"

namespace capsule::sandbox {
namespace {

constexpr const char* kWorkerOomScore = "500";  // the kernel takes the worker, not its keeper

Layer from(std::string name, const Status& status) {
  if (status) return {std::move(name), "on", {}};
  return {std::move(name), "off", status.error().message};
}

void no_core_dumps() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

}  // namespace

std::vector<Layer> enter_capsule(parked::Containment containment, Policy policy) {
  std::vector<Layer> layers;
  no_core_dumps();
  if (containment == parked::Containment::kNamespaces) {
    layers.push_back({"namespaces", "on", "user pid mount ipc uts"});
    const Status maps = write_id_maps(policy.user, policy.group);
    layers.push_back(from("id_maps", maps));
    layers.push_back(from("private_proc", maps.and_then(mount_proc)));
    layers.push_back(from(
        "private_tmp", maps.and_then([&] { return mount_workspace(policy.workspace_bytes, policy.workspace_files); })));
  } else {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const char* why = "the kernel refused new namespaces, or the profile turned them off";
    for (const char* name : {"namespaces", "id_maps", "private_proc", "private_tmp"})
      layers.push_back({name, "off", why});
  }
  layers.push_back(from("capabilities", drop_capabilities()));
  layers.push_back(from("no_new_privs", no_new_privileges()));
  prctl(PR_SET_DUMPABLE, 0);  // its worker has the same user and must not read or trace it
  return layers;
}

void enter_worker(const std::string& fallback_workspace) {
  prctl(PR_SET_DUMPABLE, 1);  // the manager reads /proc of running workers
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  write_own_oom_score(kWorkerOomScore);
  if (chdir(kWorkspace) != 0 && chdir(fallback_workspace.c_str()) != 0) (void)!chdir("/");
}

}  // namespace capsule::sandbox
