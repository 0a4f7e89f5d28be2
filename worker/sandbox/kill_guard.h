// Signals between the processes of a capsule. The kill family of workers arrives here by seccomp notification: the
// keeper checks the target and sends the signal itself, or refuses; only a process that signals itself is let through.
// So no worker reaches its keeper or a parked interpreter, though all of them have the same user
// (docs/decisions/0008-kill-guard.md). Lives in the keeper, on its one thread; never blocks.
//
// Limits: kListenersMax workers alive at once; kCallsPerTurn calls of each are answered before the keeper looks at
// its other descriptors.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "base/unique_fd.h"
#include "worker/parked.h"
#include "worker/sandbox/branch_guard.h"

struct seccomp_notif;

namespace capsule::sandbox {

class KillGuard {
 public:
  // `catch_up` takes what the manager has sent by now: it tells the keeper what to expect before it asks a worker.
  KillGuard(parked::Namespaces namespaces, std::function<void()> catch_up)
      : namespaces_(namespaces), catch_up_(std::move(catch_up)) {}

  static constexpr size_t kListenersMax = 64;
  static constexpr int kCallsPerTurn = 16;

  // The listener of a worker's filter; its children share it. False: there are too many, and those calls fail.
  bool watch(UniqueFd listener);
  // Not a target for anybody, and spared by sweeps.
  void protect(pid_t pid) { protected_.insert(pid); }
  void unprotect(pid_t pid) { protected_.erase(pid); }
  const std::set<pid_t>& protected_pids() const { return protected_; }
  BranchGuard& branches() { return branches_; }

  // What was last sent to this process from inside the capsule; 0: nothing. Kept for workers only.
  void remember(pid_t worker) { last_signal_[worker] = 0; }
  int forget(pid_t worker);

  void add_to(std::vector<pollfd>& polled) const;
  // With the descriptors add_to() gave, polled.
  void answer(const std::vector<pollfd>& polled);

 private:
  bool answer_one(int listener);
  bool is_to_itself(const seccomp_notif& call);
  int perform(const seccomp_notif& call, int listener);
  int send_to_many(pid_t target, int signal, pid_t caller);
  int queue(const seccomp_notif& call, int listener, pid_t process, pid_t thread, int signal, uint64_t address);
  bool is_allowed(pid_t target) const;
  int sent(pid_t target, int signal, long result);

  parked::Namespaces namespaces_;
  std::function<void()> catch_up_;
  std::vector<UniqueFd> listeners_;
  BranchGuard branches_;
  std::set<pid_t> protected_;
  std::map<pid_t, int> last_signal_;
};

}  // namespace capsule::sandbox
