// Who may signal whom in one capsule, and the sending. A keeper has one: it performs what processes of its capsule ask
// for (docs/decisions/0008-kill-guard.md), never to itself, to snapshots, or into capsules inside its own. Numbers are
// those of the keeper's pid namespace. One thread; never blocks.
#pragma once

#include <sys/types.h>

#include <map>
#include <set>

#include "worker/parked.h"
#include "worker/sandbox/guard_relay.h"

namespace capsule::sandbox {

class Signals {
 public:
  explicit Signals(parked::Namespaces namespaces) : namespaces_(namespaces) {}

  // Not a target for anybody, and spared by sweeps.
  void protect(pid_t pid) { protected_.insert(pid); }
  void unprotect(pid_t pid) { protected_.erase(pid); }
  const std::set<pid_t>& protected_pids() const { return protected_; }
  // From now on there are processes in sight that belong to capsules inside.
  void expect_nested() { has_nested_ = true; }

  // What was last sent to this process from inside the capsule; 0: nothing. Kept for workers, and what may
  // become one.
  void remember(pid_t worker) { last_signal_[worker] = 0; }
  int forget(pid_t worker);
  const std::map<pid_t, int>& workers() const { return last_signal_; }
  bool is_worker(pid_t process) const { return last_signal_.contains(process); }
  void note(pid_t worker, int signal);

  static bool has_info(int call);  // its argument is an address, to be read by who can
  // Whether the kernel can send it: to the caller itself.
  static bool is_to_itself(const SignalCall& call, int& signal);
  SignalAnswer perform(const SignalCall& call);

 private:
  int dispatch(const SignalCall& call);
  int send_to_many(pid_t target, int signal, const SignalCall& call);
  int queue(const SignalCall& call, pid_t process, pid_t thread, int signal);
  int may_set_affinity(const SignalCall& call) const;
  bool is_allowed(pid_t target) const;
  int sent(pid_t target, int signal, long result);

  parked::Namespaces namespaces_;
  std::set<pid_t> protected_;
  std::map<pid_t, int> last_signal_;
  pid_t hit_ = 0;  // by the call under way
  int hit_signal_ = 0;
  bool has_nested_ = false;
};

}  // namespace capsule::sandbox
