#include "worker/sandbox/root.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/posix_io.h"

namespace capsule::sandbox {
namespace {

constexpr const char* kBase = "/tmp";  // where the new root is put together: a directory that every host has
constexpr mode_t kVisible = 0755;
constexpr const char* kRootOptions = "mode=755,size=1m,nr_inodes=512";  // directories, links and small files only

// Parents of `path` and, for a directory, itself. A path that is there already is left alone.
Status make_place(const std::string& path, Kind kind) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (mkdir(path.substr(0, slash).c_str(), kVisible) != 0 && errno != EEXIST) return system_failure("mkdir " + path);
  }
  if (kind == Kind::kDirectory) {
    if (mkdir(path.c_str(), kVisible) != 0 && errno != EEXIST) return system_failure("mkdir " + path);
    return {};
  }
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444));
  if (!file) return system_failure("create " + path);
  return {};
}

Status write_new(const RootPlan::File& wanted) {
  if (auto made = make_place(wanted.path, Kind::kFile); !made) return made;
  const UniqueFd file(open(wanted.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return system_failure("open " + wanted.path);
  return write_all(file.get(), wanted.text);
}

// A bind mount keeps the flags it had; these are added, to everything below too.
uint64_t flags_of(Access access) {
  switch (access) {
    case Access::kPrograms: return MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    case Access::kData: return MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    case Access::kDevice: return MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  }
  return MOUNT_ATTR_RDONLY;
}

Status set_flags(const std::string& path, uint64_t flags, unsigned how) {
  mount_attr wanted{};
  wanted.attr_set = flags;
  if (syscall(SYS_mount_setattr, AT_FDCWD, path.c_str(), how, &wanted, sizeof wanted) == 0) return {};
  return system_failure("mount_setattr " + path);
}

Status bind(const RootPlan::Bind& wanted) {
  if (auto made = make_place(wanted.target, wanted.kind); !made) return made;
  const std::string source = kOldRoot + wanted.source;
  if (mount(source.c_str(), wanted.target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return system_failure("show " + wanted.source);
  }
  return set_flags(wanted.target, flags_of(wanted.access), AT_RECURSIVE);
}

// pivot_root(2): the old root moves below the new one, and what lay under the mount point can be seen there again.
Status change_root() {
  if (mount("capsule", kBase, "tmpfs", MS_NOSUID | MS_NODEV, kRootOptions) != 0) return system_failure("mount a root");
  if (chdir(kBase) != 0 || mkdir(kOldRoot + 1, 0700) != 0) return system_failure("prepare a root");
  if (syscall(SYS_pivot_root, ".", kOldRoot + 1) != 0) return system_failure("pivot_root");
  if (chdir("/") != 0) return system_failure("enter the root");
  return {};
}

template <class List, class Do>
Status for_all(const List& list, Do act) {
  for (const auto& item : list) {
    if (auto done = act(item); !done) return done;
  }
  return {};
}

}  // namespace

Status make_mounts_private() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return system_failure("make mounts private");
  return {};
}

Status mount_scratch(const RootPlan::Tmpfs& wanted) {
  if (auto made = make_place(wanted.target, Kind::kDirectory); !made) return made;
  const std::string options = std::string("mode=") + wanted.mode + ",size=" + std::to_string(wanted.bytes) +
                              ",nr_inodes=" + std::to_string(wanted.files);
  if (mount("capsule", wanted.target.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    return system_failure("mount " + wanted.target);
  }
  return {};
}

Status make_root(const RootPlan& plan, Identity identity) {
  umask(022);
  return change_root()
      .and_then([&] { return for_all(plan.scratch, mount_scratch); })
      .and_then([&] {
        return for_all(plan.links, [](const auto& link) -> Status {
          if (auto made = make_place(link.first.substr(0, link.first.rfind('/')) + "/", Kind::kDirectory); !made) {
            return made;
          }
          if (symlink(link.second.c_str(), link.first.c_str()) != 0) return system_failure("link " + link.first);
          return {};
        });
      })
      .and_then([&] { return for_all(plan.binds, bind); })
      .and_then([&] { return for_all(plan.files, write_new); })
      .and_then([&] { return for_all(identity_files(identity), write_new); })
      .and_then([] { return make_place("/proc", Kind::kDirectory); });
}

Status mount_proc() {
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  // hidepid: a process sees only those it might trace, and so neither the keeper nor parked interpreters.
  if (mount("proc", "/proc", "proc", kFlags, "hidepid=2") == 0) return {};
  if (mount("proc", "/proc", "proc", kFlags, nullptr) == 0) return {};
  const auto why = system_failure("mount /proc (is the host's /proc masked, as in containers?)");
  const std::string old = std::string(kOldRoot) + "/proc";
  (void)mount(old.c_str(), "/proc", nullptr, MS_BIND | MS_REC, nullptr);
  return why;
}

void abandon_root() {
  if (chdir(kOldRoot) != 0) return;  // it failed before the change
  const char* under = kBase + 1;
  if (syscall(SYS_pivot_root, ".", under) == 0 && chdir("/") == 0) umount2(kBase, MNT_DETACH);
}

Status seal_root() {
  if (umount2(kOldRoot, MNT_DETACH) != 0) return system_failure("leave the host's root");
  if (rmdir(kOldRoot) != 0) return system_failure("remove the way back");
  return set_flags("/", MOUNT_ATTR_RDONLY, 0);
}

}  // namespace capsule::sandbox
