#include "worker/sandbox/kill_guard.h"

#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "worker/sandbox/processes.h"

namespace capsule::sandbox {
namespace {

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

const seccomp_notif_sizes& kernel_sizes() {
  static const seccomp_notif_sizes known = [] {
    seccomp_notif_sizes sizes{};
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0) sizes = {};
    return sizes;
  }();
  return known;
}

constexpr int kGoOn = -1;  // no errno: the kernel does it

// Fails when the caller is gone; by its own signal, for one.
void reply(int listener, uint64_t id, int error) {
  Sized<seccomp_notif_resp> answer(kernel_sizes().seccomp_notif_resp);
  answer.get()->id = id;
  if (error == kGoOn) {
    answer.get()->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  } else {
    answer.get()->error = -error;
  }
  (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, answer.get());
}

SignalCall copy_call(const seccomp_notif& call) {
  SignalCall copy;
  copy.id = call.id;
  copy.call = call.data.nr;
  for (size_t i = 0; i < std::size(copy.arguments); ++i) copy.arguments[i] = call.data.args[i];
  return copy;
}

// seccomp_unotify(2). The asker waits anyway: without an interrupt to another processor an answer is there sooner.
// Linux 6.6 has it, Debian 12's headers do not; elsewhere the call fails and nothing changes.
void wake_on_same_processor(int listener) {
  constexpr auto kSetFlags = _IOW('!', 4, uint64_t);  // SECCOMP_IOCTL_NOTIF_SET_FLAGS
  constexpr uint64_t kSyncWakeUp = 1;                 // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
  (void)ioctl(listener, kSetFlags, kSyncWakeUp);
}

}  // namespace

bool KillGuard::watch(UniqueFd listener) {
  if (listeners_.size() >= kListenersMax) return false;  // closing it makes the calls fail with ENOSYS
  wake_on_same_processor(listener.get());
  listeners_.push_back(std::move(listener));
  return true;
}

void KillGuard::add_nested(UniqueFd relay, ino_t pid_namespace) {
  relays_.push_back({std::move(relay), pid_namespace});
  signals_.expect_nested();
}

void KillGuard::add_to(std::vector<pollfd>& polled) const {
  for (const UniqueFd& listener : listeners_) polled.push_back({listener.get(), POLLIN, 0});
  for (const Relay& relay : relays_) polled.push_back({relay.socket.get(), POLLIN, 0});
}

void KillGuard::answer(const std::vector<pollfd>& polled) {
  for (const pollfd& one : polled) {
    if (one.revents == 0) continue;
    const auto found = std::find_if(listeners_.begin(), listeners_.end(),
                                    [&](const UniqueFd& listener) { return listener.get() == one.fd; });
    if (found == listeners_.end()) {
      std::erase_if(relays_, [&](const Relay& relay) { return relay.socket.get() == one.fd && !hear(relay); });
      continue;
    }
    for (int calls = 0; calls < kCallsPerTurn && is_ready(one.fd) && answer_one(one.fd); ++calls) {
    }
    if ((one.revents & (POLLHUP | POLLERR)) == 0 || is_ready(one.fd)) continue;
    forget_pending(one.fd);  // nobody uses this filter any more
    listeners_.erase(found);
  }
}

bool KillGuard::answer_one(int listener) {
  Sized<seccomp_notif> received(kernel_sizes().seccomp_notif);
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, received.get()) != 0) return false;  // ENOENT: its caller died
  const seccomp_notif& call = *received.get();
  const auto caller = static_cast<pid_t>(call.pid);
  if (!BranchGuard::is_asked(call.data.nr)) {
    answer_about_signals(call, listener);
    return true;
  }
  catch_up_();
  const Held question{listener, call.id, call.data, caller};
  if (answer_about_copies(question)) return true;
  held_.size() < kHeldMax ? held_.push_back(question) : reply(listener, call.id, EPERM);
  return true;
}

// False: it has to wait.
bool KillGuard::answer_about_copies(const Held& question) {
  const bool is_known = signals_.is_worker(question.caller) || signals_.protected_pids().contains(question.caller);
  const auto who = is_known ? BranchGuard::Caller::kKnown : BranchGuard::Caller::kOther;
  const int error = branches_.decide(question.call, question.caller, who);
  if (error == BranchGuard::kLater) return false;
  reply(question.listener, question.id, error == 0 ? kGoOn : error);
  return true;
}

void KillGuard::answer_held() {
  std::erase_if(held_, [this](const Held& question) { return answer_about_copies(question); });
}

void KillGuard::keep(pid_t copy) {
  branches_.keep(copy);
  answer_held();
}

void KillGuard::withdraw(pid_t pid) {
  branches_.withdraw(pid);
  answer_held();
}

void KillGuard::forget(pid_t pid) {
  branches_.forget(pid);
  answer_held();
}

void KillGuard::answer_about_signals(const seccomp_notif& call, int listener) {
  const auto caller = static_cast<pid_t>(call.pid);
  SignalCall copy = copy_call(call);
  const Numbers numbers = numbers_of(caller);
  copy.thread = numbers.level > 0 ? numbers.thread : caller;
  copy.process = numbers.process;
  Relay* relay = numbers.level > 1 ? relay_of(caller) : nullptr;
  if (numbers.level > 1 && relay == nullptr) return reply(listener, call.id, EPERM);
  int signal = 0;
  if (Signals::is_to_itself(copy, signal)) {
    signals_.note(relay == nullptr ? copy.process : process_of(caller), signal);
    return reply(listener, call.id, kGoOn);
  }
  if (Signals::has_info(copy.call)) copy.has_info = read_info(call, listener, copy);
  if (relay != nullptr) return ask(*relay, copy, listener);
  const int error = signals_.perform(copy).error;
  reply(listener, call.id, error == 0 && copy.call == SYS_sched_setaffinity ? kGoOn : error);
}

// The one argument that is an address: read after the call was made, so the caller may have changed it since; it only
// describes the signal, and to the caller's own processes.
bool KillGuard::read_info(const seccomp_notif& call, int listener, SignalCall& into) {
  const uint64_t address = call.data.args[call.data.nr == SYS_rt_sigqueueinfo ? 2 : 3];
  const iovec here{&into.info, sizeof into.info};
  const iovec there{reinterpret_cast<void*>(address), sizeof into.info};
  if (process_vm_readv(static_cast<pid_t>(call.pid), &here, 1, &there, 1, 0) != ssize_t{sizeof into.info}) return false;
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id) == 0;  // else that was somebody else's memory
}

KillGuard::Relay* KillGuard::relay_of(pid_t caller) {
  const ino_t wanted = pid_namespace_of(caller);
  for (Relay& relay : relays_) {
    if (wanted != 0 && relay.pid_namespace == wanted) return &relay;
  }
  return nullptr;
}

void KillGuard::ask(Relay& relay, const SignalCall& call, int listener) {
  if (pending_.size() >= kPendingMax) return reply(listener, call.id, EAGAIN);
  if (send(relay.socket.get(), &call, sizeof call, MSG_NOSIGNAL | MSG_DONTWAIT) != ssize_t{sizeof call}) {
    return reply(listener, call.id, EAGAIN);
  }
  pending_[call.id] = {listener, call.call == SYS_sched_setaffinity};
}

// False when the relay is over.
bool KillGuard::hear(const Relay& relay) {
  SignalAnswer answer;
  const ssize_t got = recv(relay.socket.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got != ssize_t{sizeof answer}) return false;
  if (answer.hit != 0) note_hit(relay, answer);
  const auto asked = pending_.extract(answer.id);
  if (asked.empty()) return true;
  reply(asked.mapped().listener, answer.id, answer.error == 0 && asked.mapped().goes_on ? kGoOn : answer.error);
  return true;
}

// Of one of our workers in there, by the number that it has there.
void KillGuard::note_hit(const Relay& relay, const SignalAnswer& answer) {
  for (const auto& [worker, signal] : signals_.workers()) {
    if (numbers_of(worker).process == answer.hit && pid_namespace_of(worker) == relay.pid_namespace) {
      return signals_.note(worker, answer.signal);
    }
  }
}

void KillGuard::forget_pending(int listener) {
  std::erase_if(pending_, [listener](const auto& one) { return one.second.listener == listener; });
  std::erase_if(held_, [listener](const Held& question) { return question.listener == listener; });
}

}  // namespace capsule::sandbox
