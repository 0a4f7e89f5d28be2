// Hears what processes of the capsule ask its outermost keeper by seccomp notification: the kill family, and what
// branch_guard.h decides. The keeper checks the target and sends the signal itself, or refuses; only a process that
// signals itself is let through. So no worker reaches its keeper or a parked interpreter, though all of them have the
// same user (docs/decisions/0008-kill-guard.md). What processes of a capsule inside ask about signals goes to that
// capsule's keeper (guard_relay.h). Lives in the keeper, on its one thread; never blocks.
//
// Limits: kListenersMax filters at once; kCallsPerTurn calls of each are answered before the keeper looks at its other
// descriptors; kPendingMax questions wait for keepers inside, further ones fail with EAGAIN; kHeldMax wait for a
// word of the manager about a copy, further ones fail with EPERM.
#pragma once

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/types.h>

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "base/unique_fd.h"
#include "worker/sandbox/branch_guard.h"
#include "worker/sandbox/signals.h"

namespace capsule::sandbox {

class KillGuard {
 public:
  // `catch_up` takes what the manager has sent by now: it tells the keeper what to expect before it asks a worker.
  KillGuard(Signals& signals, std::function<void()> catch_up) : signals_(signals), catch_up_(std::move(catch_up)) {}

  static constexpr size_t kListenersMax = 64;
  static constexpr int kCallsPerTurn = 16;
  static constexpr size_t kPendingMax = 256;
  static constexpr size_t kHeldMax = 4096;

  // The listener of a worker's filter; its children share it. False: there are too many, and those calls fail.
  bool watch(UniqueFd listener);

  // See branch_guard.h. Each may be the word that a question waits for.
  void expect(pid_t pid, BranchGuard::May may) { branches_.expect(pid, may); }
  void keep(pid_t copy);
  void withdraw(pid_t pid);
  void forget(pid_t pid);

  // A capsule inside, until its keeper closes the relay.
  void add_nested(UniqueFd relay, ino_t pid_namespace);

  void add_to(std::vector<pollfd>& polled) const;
  // With the descriptors add_to() gave, polled.
  void answer(const std::vector<pollfd>& polled);

 private:
  struct Relay {
    UniqueFd socket;
    ino_t pid_namespace = 0;
  };
  struct Pending {
    int listener;
    bool goes_on;  // the kernel does it when the answer is yes
  };

  struct Held {
    int listener;
    uint64_t id;
    seccomp_data call;
    pid_t caller;
  };

  bool answer_one(int listener);
  bool answer_about_copies(const Held& question);
  void answer_held();
  void answer_about_signals(const seccomp_notif& call, int listener);
  bool read_info(const seccomp_notif& call, int listener, SignalCall& into);
  Relay* relay_of(pid_t caller);
  void ask(Relay& relay, const SignalCall& call, int listener);
  bool hear(const Relay& relay);
  void note_hit(const Relay& relay, const SignalAnswer& answer);
  void forget_pending(int listener);

  Signals& signals_;
  std::function<void()> catch_up_;
  std::vector<UniqueFd> listeners_;
  BranchGuard branches_;
  std::vector<Relay> relays_;
  std::map<uint64_t, Pending> pending_;  // by notification
  std::vector<Held> held_;
};

}  // namespace capsule::sandbox
