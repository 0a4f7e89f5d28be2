// What a process has open, so that a copy of it can have its own. After a fork both share the kernel's open files, and
// with them the position: what one reads the other misses, and a pipe that the copy holds open never ends.
//
// Regular files and directories are opened anew at their position. Sockets, pipes, timers and the like cannot be
// copied: their numbers are kept, but whoever uses them hears EBADF. Subprocesses stay children of the original.
//
// A copy that goes into a capsule inside has files of its own: what was open is opened by its name in the new root, and
// what has no name any more is copied. So are files that are mapped. Memory without a name that is shared with other
// processes stays shared; it is listed.
//
// Limits: the names of kNotCaptured things are told. File locks and the position of a deleted file whose name is needed
// again do not travel.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "worker/shared_mappings.h"

namespace capsule {

struct OpenFiles {
  struct File {
    int fd;
    off_t position;
    int flags;
    std::string name;  // for a new root
  };
  std::vector<File> files;
  std::vector<int> others;
  std::vector<std::string> not_captured;  // "descriptor 5: socket:[123]", "process 17 (sleep)"
  std::string directory;                  // to work in, for a new root
  std::vector<SharedMapping> mappings;    // of files that have a name, for the same
};

enum class Root { kSame, kNew };

// In the original, before the fork. Descriptors 0 to 2 and `own` are left out.
OpenFiles list_open_files(std::span<const int> own, Root root);

// In the copy.
void open_anew(const OpenFiles& open, Root root);

}  // namespace capsule
