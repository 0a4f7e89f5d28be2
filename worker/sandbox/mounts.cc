#include "worker/sandbox/mounts.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include <string>

namespace capsule::sandbox {

Status mount_proc() {
  // Nothing mounted here may travel back to the host.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return system_failure("make mounts private");
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return system_failure("mount /proc (is the host's /proc masked, as in containers?)");
  }
  return {};
}

Status mount_workspace(uint64_t bytes_max, uint64_t files_max) {
  const std::string options = "mode=1777,size=" + std::to_string(bytes_max) + ",nr_inodes=" + std::to_string(files_max);
  if (mount("capsule", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
    return system_failure("mount /tmp");
  if (mkdir(kWorkspace, 0700) != 0) return system_failure("mkdir workspace");
  return {};
}

}  // namespace capsule::sandbox
