#include "worker/sandbox/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace capsule::sandbox {

Status drop_capabilities() {
  // The bounding set first: dropping from it needs CAP_SETPCAP, which the next step gives up. Past the last capability
  // the kernel knows prctl fails with EINVAL; without the privilege (no own user namespace) there is nothing to drop.
  constexpr int kCapabilityMax = 63;
  for (int capability = 0; capability <= kCapabilityMax; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) break;
  }
  return give_up_capabilities();
}

Status give_up_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capset, &header, none) != 0) return system_failure("capset");
  return {};
}

Status set_dumpable(Dumpable dumpable) {
  if (prctl(PR_SET_DUMPABLE, dumpable == Dumpable::kYes ? 1 : 0) != 0) return system_failure("PR_SET_DUMPABLE");
  return {};
}

Status no_new_privileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_failure("PR_SET_NO_NEW_PRIVS");
  return {};
}

}  // namespace capsule::sandbox
