#include "worker/doctor/fixes.h"

#include <algorithm>
#include <array>

#include "base/posix_io.h"

namespace capsule::doctor {
namespace {

constexpr size_t kKnobBytes = 64;

// Of sysctl; -1 where there is no such setting.
long setting(const std::string& name) {
  const auto text = read_file("/proc/sys/" + name, kKnobBytes);
  return text ? std::strtol(text->c_str(), nullptr, 10) : -1;
}

bool is_one_of(const std::string& layer, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return layer == name; });
}

std::string fix_for_user_namespaces() {
  if (setting("user/max_user_namespaces") == 0) return "sysctl -w user.max_user_namespaces=15000";
  if (setting("kernel/unprivileged_userns_clone") == 0) return "sysctl -w kernel.unprivileged_userns_clone=1";
  if (setting("kernel/apparmor_restrict_unprivileged_userns") == 1) {
    return "write /etc/apparmor.d/capsule-worker with: abi <abi/4.0>, include <tunables/global> "
           "profile capsule-worker /usr/libexec/capsule/capsule-worker flags=(unconfined) { userns, } "
           "and load it: apparmor_parser -r /etc/apparmor.d/capsule-worker";
  }
  return "in a container: allow clone3, unshare, mount and pivot_root (docker run --security-opt seccomp=unconfined)";
}

}  // namespace

std::string fix_for(const std::string& layer) {
  if (layer == "netns" && setting("user/max_net_namespaces") == 0) return "sysctl -w user.max_net_namespaces=15000";
  if (is_one_of(layer, {"root", "mountns"}) && setting("user/max_mnt_namespaces") == 0) {
    return "sysctl -w user.max_mnt_namespaces=15000";
  }
  if (layer == "proc") {
    return "in a container: show the whole of /proc (docker run --security-opt systempaths=unconfined); in a systemd "
           "unit: ProtectKernelTunables=no, ProtectProc=default, ProcSubset=all";
  }
  if (is_one_of(layer, {"userns", "pidns", "mountns", "netns", "ipcns", "utsns", "id_maps", "root"})) {
    return fix_for_user_namespaces();
  }
  if (layer == "landlock") {
    return "a kernel from 5.13 with CONFIG_SECURITY_LANDLOCK=y, and landlock in the lsm= list of its command line";
  }
  if (is_one_of(layer, {"seccomp", "kill_guard"})) {
    return "a kernel with CONFIG_SECCOMP_FILTER=y, and no outer filter that refuses seccomp(2)";
  }
  if (layer == "rlimits") return "start the manager with its hard limits unset (systemd: LimitNPROC=, LimitDATA=)";
  return {};
}

}  // namespace capsule::doctor
