#include "worker/crash_stack.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "worker/link_thread.h"

namespace capsule {
namespace {

constexpr size_t kHandlerStackBytes = 64u << 10;  // touched only by a crash
LinkThread* told = nullptr;

// SA_RESETHAND and SA_NODEFER: the next one kills, also one in here.
void handle_crash(int signal, siginfo_t* info, void*) {
  told->tell_crash();
  // The kernel's own faults come again when the instruction does. What was sent (kill, abort) has to be sent again.
  if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), gettid(), signal);
}

bool is_default(int signal) {
  struct sigaction current {};
  return sigaction(signal, nullptr, &current) == 0 && (current.sa_flags & SA_SIGINFO) == 0 &&
         current.sa_handler == SIG_DFL;
}

}  // namespace

void tell_stack_of_crashes(LinkThread& link) {
  told = &link;
  void* memory =
      mmap(nullptr, kHandlerStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t stack{};
  stack.ss_sp = memory;
  stack.ss_size = kHandlerStackBytes;
  if (sigaltstack(&stack, nullptr) != 0) return;
  struct sigaction action {};
  action.sa_sigaction = handle_crash;
  action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESETHAND);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    if (is_default(signal)) sigaction(signal, &action, nullptr);
  }
}

}  // namespace capsule
