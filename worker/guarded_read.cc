#include "worker/guarded_read.h"

#include <setjmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

namespace capsule {
namespace {

constexpr std::array kFaults{SIGSEGV, SIGBUS};

std::atomic<pid_t> reader{0};
sigjmp_buf way_out;
std::array<struct sigaction, kFaults.size()> handlers_before;

// Of the reader: out of it. Of another thread: the instruction is repeated, and meets the handler from before; what was
// sent by somebody has to be sent again.
void handle_fault(int signal, siginfo_t* info, void*) {
  if (gettid() == reader.load()) siglongjmp(way_out, 1);
  sigaction(signal, &handlers_before[signal == SIGSEGV ? 0 : 1], nullptr);
  if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), gettid(), signal);
}

void take_faults() {
  struct sigaction action {};
  action.sa_sigaction = handle_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (size_t i = 0; i < kFaults.size(); ++i) sigaction(kFaults[i], &action, &handlers_before[i]);
}

// Unless another thread has met its own already, or the program has put in a new one.
void give_faults_back() {
  for (size_t i = 0; i < kFaults.size(); ++i) {
    struct sigaction current {};
    sigaction(kFaults[i], nullptr, &current);
    const bool is_ours = (current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == handle_fault;
    if (is_ours) sigaction(kFaults[i], &handlers_before[i], nullptr);
  }
}

}  // namespace

ReadOutcome read_guarded(void (*read)(int fd), int fd) {
  sigset_t faults, mask_before;  // a fault whose signal is blocked ends the process at once
  sigemptyset(&faults);
  for (const int fault : kFaults) sigaddset(&faults, fault);
  pthread_sigmask(SIG_UNBLOCK, &faults, &mask_before);
  reader = gettid();
  take_faults();
  ReadOutcome outcome = ReadOutcome::kCutShort;
  if (sigsetjmp(way_out, 1) == 0) {
    read(fd);
    outcome = ReadOutcome::kWhole;
  }
  give_faults_back();
  reader = 0;
  pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
  return outcome;
}

}  // namespace capsule
