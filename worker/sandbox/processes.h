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

// What a thread is called in the innermost pid namespace it is in. `level`: how many there are from the reader's own
// down to that one, 1 being the reader's; 0 when it cannot be seen.
struct Numbers {
  pid_t thread = 0, process = 0;
  int level = 0;
};
Numbers numbers_of(pid_t thread);

// The number of its pid namespace (the inode); 0 when it cannot be seen.
ino_t pid_namespace_of(pid_t thread);

// Without a single capability, as far as can be seen.
bool is_powerless(pid_t process);

}  // namespace capsule::sandbox
