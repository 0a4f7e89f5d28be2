// Who may make a copy, by what the manager has said so far. Hiding and entering are tried in real capsules
// (tests/system/test_out_of_reach.py): they are about processes there are.
#include "worker/sandbox/branch_guard.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>

namespace capsule::sandbox {
namespace {

constexpr pid_t kWorker = 7, kOther = 8;
using May = BranchGuard::May;
using Caller = BranchGuard::Caller;

int ask(BranchGuard& guard, int call, pid_t caller, Caller who = Caller::kKnown) {
  seccomp_data data{};
  data.nr = call;
  data.args[0] = call == SYS_prctl ? PR_SET_DUMPABLE : 0;
  return guard.decide(data, caller, who);
}

TEST_CASE("only an expected process may be cloned, and not often") {
  BranchGuard guard;
  CHECK(ask(guard, SYS_clone, kWorker) == EPERM);
  guard.expect(kWorker, May::kCopy);
  CHECK(ask(guard, SYS_clone, kOther) == EPERM);
  for (int i = 0; i < BranchGuard::kClones; ++i) CHECK(ask(guard, SYS_clone, kWorker) == 0);
  CHECK(ask(guard, SYS_clone, kWorker) == EPERM);
}

TEST_CASE("what was expected is over when it is withdrawn, used or not") {
  BranchGuard guard;
  const May may = GENERATE(May::kCopy, May::kCopyIntoNested);
  const bool is_used = GENERATE(false, true);
  guard.expect(kWorker, may);
  if (is_used) CHECK(ask(guard, SYS_clone, kWorker) == 0);
  guard.withdraw(kWorker);
  CHECK(ask(guard, SYS_clone, kWorker) == EPERM);
  CHECK(ask(guard, SYS_prctl, kOther, Caller::kOther) == EPERM);
  CHECK(ask(guard, SYS_setns, kOther, Caller::kOther) == EPERM);
}

TEST_CASE("a worker that waits for its copy may not hide itself") {
  BranchGuard guard;
  guard.expect(kWorker, May::kCopy);
  CHECK(ask(guard, SYS_clone, kWorker) == 0);
  CHECK(ask(guard, SYS_prctl, kWorker) == EPERM);
}

TEST_CASE("the expectation of one process is not withdrawn with another's") {
  BranchGuard guard;
  guard.expect(kWorker, May::kCopy);
  guard.expect(kOther, May::kCopy);
  guard.forget(kOther);
  CHECK(ask(guard, SYS_clone, kOther) == EPERM);
  CHECK(ask(guard, SYS_clone, kWorker) == 0);
}

}  // namespace
}  // namespace capsule::sandbox
