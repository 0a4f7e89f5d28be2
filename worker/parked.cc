#include "worker/parked.h"

#include <dirent.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "worker/interpreter/interpreter.h"
#include "worker/sandbox/privileges.h"

namespace capsule::parked {
namespace {

// libc caches the thread id where the kernel clears it at exit. A raw clone leaves the parent's id there; writing the
// child's own keeps raise() and error-checking mutexes right.
uint64_t libc_thread_id_address() {
  int* address = nullptr;
  if (prctl(PR_GET_TID_ADDRESS, &address) != 0) return 0;
  return reinterpret_cast<uint64_t>(address);
}

}  // namespace

Result<Child> branch_capsule(Namespaces namespaces) {
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_PARENT | CLONE_PIDFD | namespaces;
  arguments.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  if (const uint64_t address = libc_thread_id_address(); address != 0) {
    arguments.flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    arguments.child_tid = address;
  }
  // CLONE_PARENT takes the exit signal of the caller; one of our own is refused with EINVAL.
  interpreter::before_fork();
  long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  // Where containers hide clone3 the older call does the same.
  if (pid < 0 && errno == ENOSYS) {
    pid = syscall(SYS_clone, arguments.flags, 0, &pidfd, arguments.child_tid, 0);
  }
  if (pid == 0) return Child{};
  const int saved = errno;
  interpreter::after_fork_in_parent();
  errno = saved;
  if (pid < 0) {
    auto error = system_failure("clone3");
    if (namespaces != kNoNamespaces) error.value().code = Errc::kUnavailable;
    return error;
  }
  return Child{static_cast<pid_t>(pid), UniqueFd(pidfd)};
}

Result<Child> branch_nested(Namespaces namespaces) {
  int pidfd = -1;
  const uint64_t address = libc_thread_id_address();
  uint64_t flags = CLONE_PIDFD | namespaces;
  if (address != 0) flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  const long pid = syscall(SYS_clone, flags | SIGCHLD, 0, &pidfd, address, 0);
  if (pid == 0) return Child{};
  if (pid < 0) return system_failure("clone");
  return Child{static_cast<pid_t>(pid), UniqueFd(pidfd)};
}

Result<Child> branch_worker() {
  const pid_t pid = fork();
  if (pid < 0) return system_failure("fork");
  if (pid == 0) {
    interpreter::after_fork_in_child();
    return Child{};
  }
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    auto error = system_failure("pidfd_open");
    kill(pid, SIGKILL);
    return error;
  }
  return Child{pid, std::move(pidfd)};
}

namespace {

void block_all_signals(sigset_t& before) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
}

long clone_exactly() {
  uint64_t flags = CLONE_PARENT;
  const uint64_t address = libc_thread_id_address();
  if (address != 0) flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  return syscall(SYS_clone, flags, 0, nullptr, address, 0);
}

// The copy leaves the helper's stack for the worker's, which libc's longjmp takes for an accident where it is fortified
// and so do the sanitizers; the compiler's own jump asks nobody.
using JumpBuffer = std::array<void*, 5>;

// In memory that the worker, its helper and, as a copy, the copy have.
struct Entering {
  std::span<const Entered> namespaces;
  JumpBuffer back_to_worker{};
  const char* failed = nullptr;
  int error = 0;
  pid_t copy = -1;
};

int fail(Entering& entering, const char* what) {
  entering.failed = what;
  entering.error = errno;
  return 1;
}

// The helper. Entering a user namespace gives all power there and makes the memory, also the worker's, undumpable.
// AddressSanitizer would report that it leaves a stack that no thread has.
__attribute__((no_sanitize("address"))) int enter_and_copy(void* argument) {
  Entering& entering = *static_cast<Entering*>(argument);
  for (const Entered& one : entering.namespaces) {
    if (setns(one.fd, static_cast<int>(one.kind)) != 0) return fail(entering, "setns");
  }
  if (!sandbox::give_up_capabilities()) return fail(entering, "capset");
  if (!sandbox::set_dumpable(sandbox::Dumpable::kYes)) return fail(entering, "PR_SET_DUMPABLE");
  const long pid = clone_exactly();
  if (pid == 0) __builtin_longjmp(entering.back_to_worker.data(), 1);
  if (pid < 0) return fail(entering, "clone");
  entering.copy = static_cast<pid_t>(pid);
  return 0;
}

}  // namespace

Result<Copy> branch_copy_into(std::span<const Entered> namespaces) {
  constexpr size_t kHelperStackBytes = 64u << 10;
  alignas(16) static std::array<char, kHelperStackBytes> stack;  // used by one thread, which waits meanwhile
  static Entering entering;
  static Copy copy;  // not on the stack: both sides of the jump read it
  entering = {namespaces, {}, nullptr, 0, -1};
  copy = {};
  block_all_signals(copy.mask);
  if (__builtin_setjmp(entering.back_to_worker.data()) != 0) {
    copy.pid = 0;
    return copy;
  }
  const int helper =
      clone(enter_and_copy, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | CLONE_PARENT, &entering);
  const int saved = errno;
  sigprocmask(SIG_SETMASK, &copy.mask, nullptr);
  errno = helper < 0 ? saved : entering.error;
  if (errno == EAGAIN) return failure(Errc::kUnavailable, kNoRoomForCopy);
  if (helper < 0) return system_failure("clone a helper");
  if (entering.failed != nullptr) return system_failure(entering.failed);
  if (entering.copy < 0) return failure(Errc::kSystem, "the helper was killed");
  copy.pid = entering.copy;
  return copy;
}

Result<Copy> branch_copy() {
  Copy copy;
  block_all_signals(copy.mask);
  const long pid = clone_exactly();
  const int saved = errno;
  copy.pid = static_cast<pid_t>(pid);
  if (pid == 0) return copy;
  sigprocmask(SIG_SETMASK, &copy.mask, nullptr);
  errno = saved;
  if (pid < 0) return system_failure("clone");
  return copy;
}

size_t thread_count() {
  DIR* directory = opendir("/proc/self/task");
  if (directory == nullptr) return 0;
  size_t count = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(directory);
  return count;
}

}  // namespace capsule::parked
