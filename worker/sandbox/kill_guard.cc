#include "worker/sandbox/kill_guard.h"

#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "worker/sandbox/processes.h"

namespace capsule::sandbox {
namespace {

constexpr pid_t kKeeper = 1;

pid_t to_pid(uint64_t argument) { return static_cast<pid_t>(argument); }
int to_int(uint64_t argument) { return static_cast<int>(argument); }

bool is_ready(int descriptor) {
  pollfd one{descriptor, POLLIN, 0};
  return poll(&one, 1, 0) > 0 && (one.revents & POLLIN) != 0;
}

// The kernel's structures may be larger than the ones we were compiled with; it checks that what it gets is zero.
template <class T>
class Sized {
 public:
  explicit Sized(size_t kernel_bytes) : bytes_(std::max(kernel_bytes, sizeof(T))) {}
  T* get() { return reinterpret_cast<T*>(bytes_.data()); }

 private:
  std::vector<char> bytes_;
};

seccomp_notif_sizes kernel_sizes() {
  seccomp_notif_sizes sizes{};
  if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0) return {};
  return sizes;
}

}  // namespace

bool KillGuard::watch(UniqueFd listener) {
  if (listeners_.size() >= kListenersMax) return false;  // closing it makes the calls fail with ENOSYS
  listeners_.push_back(std::move(listener));
  return true;
}

int KillGuard::forget(pid_t worker) {
  branches_.forget(worker);
  const auto found = last_signal_.extract(worker);
  return found.empty() ? 0 : found.mapped();
}

void KillGuard::add_to(std::vector<pollfd>& polled) const {
  for (const UniqueFd& listener : listeners_) polled.push_back({listener.get(), POLLIN, 0});
}

void KillGuard::answer(const std::vector<pollfd>& polled) {
  for (const pollfd& one : polled) {
    const auto found = std::find_if(listeners_.begin(), listeners_.end(),
                                    [&](const UniqueFd& listener) { return listener.get() == one.fd; });
    if (found == listeners_.end() || one.revents == 0) continue;
    for (int calls = 0; calls < kCallsPerTurn && is_ready(one.fd) && answer_one(one.fd); ++calls) {
    }
    // Nobody uses this filter any more.
    if ((one.revents & (POLLHUP | POLLERR)) != 0 && !is_ready(one.fd)) listeners_.erase(found);
  }
}

bool KillGuard::answer_one(int listener) {
  static const seccomp_notif_sizes sizes = kernel_sizes();
  Sized<seccomp_notif> call(sizes.seccomp_notif);
  Sized<seccomp_notif_resp> reply(sizes.seccomp_notif_resp);
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, call.get()) != 0) return false;  // ENOENT: its caller died
  reply.get()->id = call.get()->id;
  if (BranchGuard::is_asked(call.get()->data.nr)) {
    catch_up_();
    reply.get()->error = -branches_.decide(call.get()->data, to_pid(call.get()->pid));
    if (reply.get()->error == 0) reply.get()->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  } else if (is_to_itself(*call.get())) {
    reply.get()->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  } else {
    reply.get()->error = -perform(*call.get(), listener);
  }
  // Fails when the caller is gone; by its own signal, for one.
  (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, reply.get());
  return true;
}

// A process's signals to itself are the kernel's to send: libc stops and cancels its threads with signals whose sender
// must be the process itself, or waits for ever. The numbers were copied when the call was made and the caller's own
// process id is nobody else's as long as the caller waits, so nothing can change what the call means.
bool KillGuard::is_to_itself(const seccomp_notif& call) {
  const bool names_thread = call.data.nr == SYS_tgkill || call.data.nr == SYS_rt_tgsigqueueinfo;
  const bool names_process = call.data.nr == SYS_kill || call.data.nr == SYS_rt_sigqueueinfo;
  const pid_t target = to_pid(call.data.args[0]);
  const pid_t caller = to_pid(call.pid);
  if ((!names_thread && !names_process) || target <= 0) return false;
  if (target != caller && target != process_of(caller)) return false;
  const int signal = to_int(call.data.args[names_thread ? 2 : 1]);
  const auto worker = last_signal_.find(target);
  if (worker != last_signal_.end() && signal != 0) worker->second = signal;
  return true;
}

// All arguments but one are plain numbers, copied by the kernel when the call was made. Gives 0 or an errno.
int KillGuard::perform(const seccomp_notif& call, int listener) {
  const uint64_t* argument = reinterpret_cast<const uint64_t*>(call.data.args);
  const pid_t target = to_pid(argument[0]);
  switch (call.data.nr) {
    case SYS_kill:
      if (target <= 0) return send_to_many(target, to_int(argument[1]), to_pid(call.pid));
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
    case SYS_rt_sigqueueinfo: return queue(call, listener, target, 0, to_int(argument[1]), argument[2]);
    case SYS_rt_tgsigqueueinfo:
      return queue(call, listener, target, to_pid(argument[1]), to_int(argument[2]), argument[3]);
    default: return ENOSYS;
  }
}

// kill(2) with 0, -1 or a group, without those who are out of reach. Never the caller for -1, as Linux has it.
int KillGuard::send_to_many(pid_t target, int signal, pid_t caller) {
  const pid_t caller_process = process_of(caller);
  const pid_t group = target == 0 ? getpgid(caller) : -target;
  int result = ESRCH;
  for (const pid_t pid : all_pids()) {
    if (target == -1 ? pid == caller_process : getpgid(pid) != group) continue;
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

// The one argument that is an address: read after the call was made, so the caller may have changed it since; it only
// describes the signal, and to the caller's own processes.
int KillGuard::queue(const seccomp_notif& call, int listener, pid_t process, pid_t thread, int signal,
                     uint64_t address) {
  if (process <= 0) return EINVAL;
  if (!is_allowed(process) || (thread != 0 && !is_allowed(thread))) return EPERM;
  siginfo_t info{};
  const iovec here{&info, sizeof info};
  const iovec there{reinterpret_cast<void*>(address), sizeof info};
  if (process_vm_readv(to_pid(call.pid), &here, 1, &there, 1, 0) != static_cast<ssize_t>(sizeof info)) return EFAULT;
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id) != 0) return ESRCH;  // that was somebody else's memory
  const long result = thread == 0 ? syscall(SYS_rt_sigqueueinfo, process, signal, &info)
                                  : syscall(SYS_rt_tgsigqueueinfo, process, thread, signal, &info);
  return sent(process, signal, result);
}

bool KillGuard::is_allowed(pid_t target) const {
  if (protected_.contains(target)) return false;
  if (parked::has(namespaces_, CLONE_NEWPID)) return target != kKeeper;
  return target != getpid() && descends_from(target, getpid());
}

int KillGuard::sent(pid_t target, int signal, long result) {
  if (result != 0) return errno;
  if (signal == 0) return 0;
  auto worker = last_signal_.find(target);
  if (worker == last_signal_.end()) worker = last_signal_.find(process_of(target));
  if (worker != last_signal_.end()) worker->second = signal;
  return 0;
}

}  // namespace capsule::sandbox
