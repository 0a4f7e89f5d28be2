// A snapshot: a parked copy of a worker. It waits on a link of its own, costs nothing meanwhile, and is either woken,
// which makes it the worker, or branched from. Non-dumpable, all signals blocked; its keeper guards it
// (sandbox/branch_guard.h). No user code runs in it, but where it is told to serialise its namespace: then it is parked
// no more, and ends afterwards.
#pragma once

#include <signal.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "protocol/message.h"
#include "worker/open_files.h"

namespace capsule {

struct Parked {
  UniqueFd link;
  sigset_t mask{};  // what to unblock to when woken
  Root root = Root::kSame;
};

// To be called in the copy right after parked::branch_copy(). Returns when it is woken, with the link it has by then;
// ends the process when the manager drops the snapshot. Copies of it return from the same call.
struct Woken {
  UniqueFd link;
  Wake wake;
};
Woken stay_parked(Parked parked, const OpenFiles& open, const std::string& name);

}  // namespace capsule
