// A capsule's workspace as the manager may touch it: by an open directory and never by a name. The keeper opened it; it
// stays usable when the capsule has ended, because an open directory holds its mount.
//
// Shared by the capsule, and by whoever still reads its files; where a private one cannot be mounted it is a directory
// of ours, whose place (scratch.h) goes with its last owner.
#pragma once

#include <sys/types.h>

#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule {

class Workspace {
 public:
  // `directory` may be O_PATH. `place` (or none) is kept for as long.
  static Result<std::shared_ptr<Workspace>> adopt(UniqueFd directory, std::shared_ptr<const void> place);
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  int fd() const { return directory_.get(); }
  uid_t user() const { return user_; }
  gid_t group() const { return group_; }

 private:
  Workspace(UniqueFd directory, std::shared_ptr<const void> place, uid_t user, gid_t group)
      : directory_(std::move(directory)), place_(std::move(place)), user_(user), group_(group) {}

  UniqueFd directory_;
  std::shared_ptr<const void> place_;
  uid_t user_;
  gid_t group_;
};

// While it lives, this thread touches files as the workspace's owner: a manager that runs as root can reach no more
// there than the program could, and what it makes belongs to the program. No effect for an ordinary user.
class AsOwner {
 public:
  explicit AsOwner(const Workspace& workspace);
  ~AsOwner();
  AsOwner(const AsOwner&) = delete;
  AsOwner& operator=(const AsOwner&) = delete;

 private:
  bool changed_ = false;
};

}  // namespace capsule
