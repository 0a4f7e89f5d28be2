#include "worker/sandbox/descriptors.h"

#include <linux/close_range.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace capsule::sandbox {

void close_all_but(int keep) {
  const unsigned first = STDERR_FILENO + 1;
  const auto kept = static_cast<unsigned>(keep);
  if (kept > first) syscall(SYS_close_range, first, kept - 1, 0);
  syscall(SYS_close_range, kept + 1, ~0U, 0);
}

}  // namespace capsule::sandbox
