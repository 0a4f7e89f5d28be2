// Hears what processes of the capsule ask its outermost keeper by seccomp notification: the kill family, and what
// branch_guard.h decides. The keeper checks the target and sends the signal itself, or refuses; only a process that
// signals itself is let through. So no worker reaches its keeper or a parked interpreter, though all of them have the
// same user (docs/decisions/0008-kill-guard.md). What processes of a capsule inside ask about signals goes to that
// capsule's keeper (guard_relay.h). Lives in the keeper, on its one thread; never blocks.
//
// Limits: kListenersMax filters at once; kCallsPerTurn calls of each are answered before the keeper looks at its other
// descriptors; kPendingMax questions wait for keepers inside, further ones fail with EAGAIN.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "base/unique_fd.h"
#include "worker/sandbox/branch_guard.h"
#include "worker/sandbox/signals.h"

struct seccomp_notif;

namespace capsule::sandbox {

class KillGuard {
 public:
  // `catch_up` takes what the manager has sent by now: it tells the keeper what to expect before it asks a worker.
  KillGuard(Signals& signals, std::function<void()> catch_up) : signals_(signals), catch_up_(std::move(catch_up)) {}

  static constexpr size_t kListenersMax = 64;
  static constexpr int kCallsPerTurn = 16;
  static constexpr size_t kPendingMax = 256;

  // The listener of a worker's filter; its children share it. False: there are too many, and those calls fail.
  bool watch(UniqueFd listener);
  BranchGuard& branches() { return branches_; }

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

  bool answer_one(int listener);
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
};

}  // namespace capsule::sandbox
