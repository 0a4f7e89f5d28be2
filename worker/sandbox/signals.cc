#include "worker/sandbox/signals.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "worker/sandbox/processes.h"

namespace capsule::sandbox {
namespace {

constexpr pid_t kKeeper = 1;

pid_t to_pid(uint64_t argument) { return static_cast<pid_t>(argument); }
int to_int(uint64_t argument) { return static_cast<int>(argument); }

}  // namespace

int Signals::forget(pid_t worker) {
  const auto found = last_signal_.extract(worker);
  return found.empty() ? 0 : found.mapped();
}

void Signals::note(pid_t worker, int signal) {
  const auto found = last_signal_.find(worker);
  if (found != last_signal_.end() && signal != 0) found->second = signal;
}

bool Signals::has_info(int call) { return call == SYS_rt_sigqueueinfo || call == SYS_rt_tgsigqueueinfo; }

// A process's signals to itself are the kernel's to send: libc stops and cancels its threads with signals whose sender
// must be the process itself, or waits for ever. The numbers were copied when the call was made and the caller's own
// process id is nobody else's as long as the caller waits, so nothing can change what the call means.
bool Signals::is_to_itself(const SignalCall& call, int& signal) {
  const bool names_thread = call.call == SYS_tgkill || call.call == SYS_rt_tgsigqueueinfo;
  const bool names_process = call.call == SYS_kill || call.call == SYS_rt_sigqueueinfo;
  const pid_t target = to_pid(call.arguments[0]);
  if ((!names_thread && !names_process) || target <= 0) return false;
  if (target != call.thread && target != call.process) return false;
  signal = to_int(call.arguments[names_thread ? 2 : 1]);
  return true;
}

SignalAnswer Signals::perform(const SignalCall& call) {
  hit_ = 0;
  const int error = dispatch(call);
  return {call.id, error, hit_, hit_signal_};
}

// All arguments but one are plain numbers, copied by the kernel when the call was made. Gives 0 or an errno.
int Signals::dispatch(const SignalCall& call) {
  const uint64_t* argument = call.arguments;
  const pid_t target = to_pid(argument[0]);
  switch (call.call) {
    case SYS_kill:
      if (target <= 0) return send_to_many(target, to_int(argument[1]), call);
      if (!is_allowed(target)) return EPERM;
      return sent(target, to_int(argument[1]), kill(target, to_int(argument[1])));
    case SYS_tkill:
      if (target <= 0) return EINVAL;
      if (!is_allowed(target)) return EPERM;
      return sent(target, to_int(argument[1]), syscall(SYS_tkill, target, to_int(argument[1])));
    case SYS_tgkill: {
      const pid_t thread = to_pid(argument[1]);
      if (target <= 0 || thread <= 0) return EINVAL;
      if (!is_allowed(target) || !is_allowed(thread)) return EPERM;
      return sent(target, to_int(argument[2]), syscall(SYS_tgkill, target, thread, to_int(argument[2])));
    }
    case SYS_rt_sigqueueinfo: return queue(call, target, 0, to_int(argument[1]));
    case SYS_rt_tgsigqueueinfo: return queue(call, target, to_pid(argument[1]), to_int(argument[2]));
    case SYS_sched_setaffinity: return may_set_affinity(call);
    default: return ENOSYS;
  }
}

// A thread of the caller's own process.
int Signals::may_set_affinity(const SignalCall& call) const {
  const pid_t target = to_pid(call.arguments[0]);
  if (target == call.thread || target == call.process) return 0;
  return call.process != 0 && process_of(target) == call.process ? 0 : ESRCH;
}

// kill(2) with 0, -1 or a group, without those who are out of reach. Never the caller for -1, as Linux has it.
int Signals::send_to_many(pid_t target, int signal, const SignalCall& call) {
  const pid_t group = target == 0 ? getpgid(call.thread) : -target;
  int result = ESRCH;
  for (const pid_t pid : all_pids()) {
    if (target == -1 ? pid == call.process : getpgid(pid) != group) continue;
    if (!is_allowed(pid)) {
      if (result == ESRCH) result = EPERM;
      continue;
    }
    const int one = sent(pid, signal, kill(pid, signal));
    if (one == EINVAL) return EINVAL;  // no such signal
    if (one == 0) result = 0;
  }
  return result;
}

int Signals::queue(const SignalCall& call, pid_t process, pid_t thread, int signal) {
  if (process <= 0) return EINVAL;
  if (!is_allowed(process) || (thread != 0 && !is_allowed(thread))) return EPERM;
  if (!call.has_info) return EFAULT;
  siginfo_t info = call.info;
  const long result = thread == 0 ? syscall(SYS_rt_sigqueueinfo, process, signal, &info)
                                  : syscall(SYS_rt_tgsigqueueinfo, process, thread, signal, &info);
  return sent(process, signal, result);
}

bool Signals::is_allowed(pid_t target) const {
  if (protected_.contains(target)) return false;
  if (!parked::has(namespaces_, CLONE_NEWPID)) return target != getpid() && descends_from(target, getpid());
  if (target == kKeeper) return false;
  if (!has_nested_) return true;
  const int level = numbers_of(target).level;
  // What hides itself is a parked one or a keeper inside; or it is not there, and the kernel shall say so.
  return level == 1 || (level == 0 && kill(target, 0) != 0 && errno == ESRCH);
}

int Signals::sent(pid_t target, int signal, long result) {
  if (result != 0) return errno;
  if (signal == 0) return 0;
  const pid_t worker = is_worker(target) ? target : process_of(target);
  if (!is_worker(worker)) return 0;
  note(worker, signal);
  hit_ = worker;
  hit_signal_ = signal;
  return 0;
}

}  // namespace capsule::sandbox
