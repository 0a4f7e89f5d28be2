// The processes of a capsule, as its keeper sees them in /proc.
#pragma once

#include <sys/types.h>

#include <vector>

namespace capsule::sandbox {

struct ProcessLine {
  pid_t parent = 0;  // 0: there is no such process
  bool alive = false;
};
ProcessLine read_process(pid_t pid);

std::vector<pid_t> all_pids();

// Looks at most a thousand generations up.
bool descends_from(pid_t pid, pid_t ancestor);

// The process that a thread belongs to; 0 when there is none.
pid_t process_of(pid_t thread);

}  // namespace capsule::sandbox
