#include "manager/files/workspace.h"

#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

namespace capsule {

Result<std::shared_ptr<Workspace>> Workspace::adopt(UniqueFd directory, std::shared_ptr<const void> place) {
  struct stat facts {};
  if (fstat(directory.get(), &facts) != 0) return system_failure("fstat of a workspace");
  if (!S_ISDIR(facts.st_mode)) return failure(Errc::kInvalid, "a workspace that is not a directory");
  return std::shared_ptr<Workspace>(new Workspace(std::move(directory), std::move(place), facts.st_uid, facts.st_gid));
}

// setfsuid(2) also takes CAP_DAC_OVERRIDE and its like out of force, and gives them back.
AsOwner::AsOwner(const Workspace& workspace) {
  if (geteuid() != 0 || workspace.user() == 0) return;
  setfsgid(workspace.group());
  setfsuid(workspace.user());
  changed_ = true;
}

AsOwner::~AsOwner() {
  if (!changed_) return;
  setfsuid(geteuid());
  setfsgid(getegid());
}

}  // namespace capsule
