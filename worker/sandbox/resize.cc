#include "worker/sandbox/resize.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>

#include "worker/sandbox/policy.h"

namespace capsule::sandbox {
namespace {

constexpr size_t kStackBytes = 64 << 10;

enum class Step { kEnter, kMount, kDone };

// Shared with the child, which runs in this memory while its parent waits: no heap is copied for two calls.
struct Task {
  int pidfd;
  const char* options;
  Step step = Step::kEnter;
  int error = 0;
};

int carry_out(void* shared) {
  Task& task = *static_cast<Task*>(shared);
  if (setns(task.pidfd, CLONE_NEWUSER | CLONE_NEWNS) != 0) {
    task.error = errno;
    return 0;
  }
  task.step = Step::kMount;
  if (mount(nullptr, kWorkspace, nullptr, MS_REMOUNT | MS_NOSUID | MS_NODEV, task.options) != 0) {
    task.error = errno;
    return 0;
  }
  task.step = Step::kDone;
  return 0;
}

void add(std::string& options, const char* name, uint64_t value) {
  if (value == 0) return;  // which tmpfs(5) would take for "no limit"
  options += (options.empty() ? "" : ",") + std::string(name) + "=" + std::to_string(value);
}

}  // namespace

Status resize_workspace(int worker_pidfd, uint64_t bytes, uint64_t files) {
  std::string options;
  add(options, "size", bytes);
  add(options, "nr_inodes", files);
  if (options.empty()) return {};
  alignas(16) static std::array<char, kStackBytes> stack;
  Task task{worker_pidfd, options.c_str()};
  const pid_t child =
      clone(carry_out, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, static_cast<void*>(&task));
  if (child < 0) return system_failure("clone");
  while (waitpid(child, nullptr, __WALL) < 0 && errno == EINTR) continue;
  if (task.step == Step::kDone) return {};
  errno = task.error;
  if (task.step == Step::kEnter) return system_failure("enter the capsule");
  if (errno == EINVAL) return failure(Errc::kRefused, "the workspace holds more than that already");
  return system_failure("mount " + std::string(kWorkspace));
}

}  // namespace capsule::sandbox
