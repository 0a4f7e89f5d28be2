#include "worker/doctor/fixes.h"

#include <algorithm>
#include <filesystem>

#include "base/posix_io.h"

namespace capsule::doctor {
namespace {

constexpr size_t kKnobBytes = 64;

bool is_one_of(const std::string& layer, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return layer == name; });
}

// Lets this one program have user namespaces, and confines nothing else about it.
std::string apparmor_profile(const std::string& program) {
  return "printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile capsule-worker \"" + program +
         "\" flags=(unconfined) {\\n  userns,\\n}\\n' > /etc/apparmor.d/capsule-worker && "
         "apparmor_parser -r /etc/apparmor.d/capsule-worker";
}

std::string fix_for_user_namespaces(const Machine& machine) {
  if (machine.setting("user/max_user_namespaces") == 0) return "sysctl -w user.max_user_namespaces=15000";
  if (machine.setting("kernel/unprivileged_userns_clone") == 0) return "sysctl -w kernel.unprivileged_userns_clone=1";
  if (machine.setting("kernel/apparmor_restrict_unprivileged_userns") == 1) {
    return apparmor_profile(machine.worker_program);
  }
  return "in a container: allow clone3, unshare, mount and pivot_root (docker run --security-opt seccomp=unconfined)";
}

}  // namespace

Machine this_machine() {
  std::error_code unknown;
  return {[](const std::string& name) {
            const auto text = read_file("/proc/sys/" + name, kKnobBytes);
            return text ? std::strtol(text->c_str(), nullptr, 10) : -1;
          },
          std::filesystem::read_symlink("/proc/self/exe", unknown).string()};
}

std::string fix_for(const std::string& layer, const Machine& machine) {
  constexpr std::pair<const char*, const char*> kKinds[] = {
      {"pidns", "user/max_pid_namespaces"}, {"mountns", "user/max_mnt_namespaces"},
      {"netns", "user/max_net_namespaces"}, {"ipcns", "user/max_ipc_namespaces"},
      {"utsns", "user/max_uts_namespaces"}, {"root", "user/max_mnt_namespaces"},
      {"proc", "user/max_mnt_namespaces"}};
  for (const auto& [name, setting] : kKinds) {
    if (layer != name || machine.setting(setting) != 0) continue;
    std::string knob = setting;
    std::replace(knob.begin(), knob.end(), '/', '.');
    return "sysctl -w " + knob + "=15000";
  }
  if (layer == "proc") {
    return "in a container: show the whole of /proc (docker run --security-opt systempaths=unconfined); in a systemd "
           "unit: ProtectKernelTunables=no, ProtectProc=default, ProcSubset=all";
  }
  if (is_one_of(layer, {"userns", "pidns", "mountns", "netns", "ipcns", "utsns", "id_maps", "root"})) {
    return fix_for_user_namespaces(machine);
  }
  if (layer == "landlock") {
    return "a kernel from 5.13 with CONFIG_SECURITY_LANDLOCK=y, and landlock in the lsm= list of its command line";
  }
  if (is_one_of(layer, {"seccomp", "kill_guard"})) {
    return "a kernel with CONFIG_SECCOMP_FILTER=y, and no outer filter that refuses seccomp(2)";
  }
  if (layer == "capabilities")
    return "no outer filter (a container's, SystemCallFilter= of systemd) that refuses capset(2)";
  if (is_one_of(layer, {"no_new_privs", "dumpable"})) {
    return "no outer filter (a container's, SystemCallFilter= of systemd) that refuses prctl(2)";
  }
  if (layer == "rlimits") return "start the manager with its hard limits unset (systemd: LimitNPROC=, LimitDATA=)";
  return "nothing on this machine should be able to take it away: please report it with the output of "
         "`capsule doctor --json`";
}

}  // namespace capsule::doctor
