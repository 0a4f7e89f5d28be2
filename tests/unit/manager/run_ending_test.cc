#include "manager/link/run_ending.h"

#include <catch2/catch.hpp>
#include <csignal>

#include "tests/unit/manager/moment.h"

using namespace capsule;

using V = Verdict;
using R = StopReason;
using A = StopAction;

namespace {

RunEnding standard_run() {
  RunEnding run(RunLimits{2s, 1s, 1048576});
  run.started(at(0s));
  return run;
}

// Status words as waitpid(2) has them.
WaitStatus exited(int code) { return WaitStatus(code << 8); }
WaitStatus signalled(int signal) { return WaitStatus(signal); }

struct StopWord {
  R reason;
  V verdict;
};
const std::vector<StopWord> kStops{{R::kClientCancel, V::kCancelled},  {R::kClientGone, V::kCancelled},
                                   {R::kTimeout, V::kTimeout},         {R::kCpuLimit, V::kCpuLimit},
                                   {R::kMemoryLimit, V::kOutOfMemory}, {R::kOutputLimit, V::kOutputLimit},
                                   {R::kShutdown, V::kAborted}};

}  // namespace

TEST_CASE("a program that ends by itself has the verdict it claims", "[ending]") {
  struct Row {
    V claim;
    int status;
    int shell_status;
  };
  for (const Row& row : {Row{V::kOk, 0, 0}, Row{V::kException, 1, 1}, Row{V::kExit, 3, 3}, Row{V::kExit, 0, 0}}) {
    RunEnding run = standard_run();
    CHECK(run.claimed(row.claim, row.status) == A::kNothing);
    REQUIRE(run.ending());
    CHECK(run.ending()->verdict == row.claim);
    CHECK(run.ending()->exit_status == row.shell_status);
    CHECK(run.ending()->rung == Rung::kNone);
    CHECK_FALSE(run.ending()->reason);
    CHECK(run.ending()->detail.empty());
    CHECK(run.ending()->worker_survives);
    CHECK(run.next_check() == TimePoint::max());
  }
}

TEST_CASE("a worker cannot claim what only the kernel or the manager knows", "[ending]") {
  for (const V claim : kAllVerdicts) {
    if (claim == V::kOk || claim == V::kException || claim == V::kExit || claim == V::kCancelled) continue;
    INFO(to_string(claim));
    RunEnding run = standard_run();
    CHECK(run.claimed(claim, 0) == A::kKill);
    REQUIRE(run.ending());
    CHECK(run.ending()->verdict == V::kWorkerLost);
    CHECK_FALSE(run.ending()->worker_survives);
  }
}

TEST_CASE("a cancel nobody asked for is the program's own exception", "[ending]") {
  RunEnding run = standard_run();
  run.claimed(V::kCancelled, 0);
  CHECK(run.ending()->verdict == V::kException);
  CHECK(run.ending()->exit_status == 1);
}

TEST_CASE("a claim of a cancel is not believed when the run was killed without an interrupt", "[ending]") {
  RunEnding run = standard_run();
  run.kill(R::kShutdown, at(0s));
  run.claimed(V::kCancelled, 0);
  CHECK(run.ending()->verdict == V::kAborted);
  CHECK(run.ending()->rung == Rung::kKill);
  CHECK_FALSE(run.ending()->worker_survives);
}

TEST_CASE("an interrupt that works has the verdict of its reason and keeps the worker", "[ending]") {
  for (const StopWord& stop : kStops) {
    INFO(to_string(stop.reason));
    RunEnding run = standard_run();
    CHECK(run.stop(stop.reason, at(100ms)) == A::kInterrupt);
    CHECK_FALSE(run.ending());
    run.claimed(V::kCancelled, 0);
    REQUIRE(run.ending());
    CHECK(run.ending()->verdict == stop.verdict);
    CHECK(run.ending()->rung == Rung::kInterrupt);
    CHECK(run.ending()->reason == stop.reason);
    CHECK(run.ending()->worker_survives);
    CHECK(run.ending()->signal == 0);
  }
}

TEST_CASE("a kill has the verdict of its reason and says so", "[ending]") {
  for (const StopWord& stop : kStops) {
    INFO(to_string(stop.reason));
    RunEnding run = standard_run();
    run.stop(stop.reason, at(100ms));
    CHECK(run.check(at(1099ms)) == A::kNothing);
    CHECK(run.check(at(1100ms)) == A::kKill);
    run.died(signalled(SIGKILL));
    REQUIRE(run.ending());
    CHECK(run.ending()->verdict == stop.verdict);
    CHECK(run.ending()->rung == Rung::kKill);
    CHECK(run.ending()->reason == stop.reason);
    CHECK(run.ending()->signal == SIGKILL);
    CHECK_FALSE(run.ending()->exit_code);
    CHECK_FALSE(run.ending()->worker_survives);
  }
}

TEST_CASE("exit statuses are those of the verdict", "[ending]") {
  struct Row {
    R reason;
    int shell_status;
  };
  for (const Row& row :
       {Row{R::kTimeout, 124}, Row{R::kClientCancel, 130}, Row{R::kOutputLimit, 153}, Row{R::kShutdown, 125}}) {
    RunEnding run = standard_run();
    run.kill(row.reason, at(0s));
    run.died(signalled(SIGKILL));
    CHECK(run.ending()->exit_status == row.shell_status);
  }
}

TEST_CASE("the wall clock interrupts, then kills, and names the limit", "[ending]") {
  RunEnding run = standard_run();
  CHECK(run.next_check() == at(2s));
  CHECK(run.check(at(1999ms)) == A::kNothing);
  CHECK(run.check(at(2s)) == A::kInterrupt);
  CHECK(run.next_check() == at(3s));
  CHECK(run.check(at(3s)) == A::kKill);
  run.died(signalled(SIGKILL));
  CHECK(run.ending()->verdict == V::kTimeout);
  CHECK(run.ending()->limit == "wall_ms=2000");
}

TEST_CASE("a run without a timeout has no clock", "[ending]") {
  RunEnding run(RunLimits{0s, 1s, 0});
  run.started(at(0s));
  CHECK(run.next_check() == TimePoint::max());
  CHECK(run.check(at(100000h)) == A::kNothing);
}

TEST_CASE("the clock does not run before the run does", "[ending]") {
  RunEnding run(RunLimits{2s, 1s, 0});
  CHECK(run.next_check() == TimePoint::max());
  CHECK(run.check(at(1h)) == A::kNothing);
}

TEST_CASE("a check that comes very late still gives the grace", "[ending]") {
  RunEnding run = standard_run();
  CHECK(run.check(at(1h)) == A::kInterrupt);
  CHECK(run.check(at(1h)) == A::kNothing);
  CHECK(run.next_check() == at(1h + 1s));
}

TEST_CASE("a timeout during a cancel neither changes the verdict nor the grace", "[ending]") {
  RunEnding run = standard_run();
  run.stop(R::kClientCancel, at(1500ms));
  CHECK(run.check(at(2s)) == A::kNothing);
  CHECK(run.stop(R::kClientCancel, at(2400ms)) == A::kNothing);
  CHECK(run.check(at(2500ms)) == A::kKill);
  run.died(signalled(SIGKILL));
  CHECK(run.ending()->verdict == V::kCancelled);
  CHECK(run.ending()->limit.empty());
}

TEST_CASE("a program that ends by itself while it is being stopped has the verdict of the stop", "[ending]") {
  for (const V claim : {V::kOk, V::kException, V::kExit}) {
    for (const R reason : {R::kTimeout, R::kClientCancel, R::kClientGone, R::kShutdown}) {
      RunEnding run = standard_run();
      run.stop(reason, at(0s));
      run.claimed(claim, 7);
      INFO(to_string(claim) << " " << to_string(reason));
      CHECK(run.ending()->verdict == verdict_for(reason));
      CHECK(run.ending()->rung == Rung::kInterrupt);
      CHECK(run.ending()->reason == reason);
      CHECK(run.ending()->worker_survives);
      CHECK_THAT(run.ending()->detail, Catch::Contains(std::string(to_string(reason))));
    }
  }
}

TEST_CASE("past the output limit it is always output_limit", "[ending]") {
  const auto limit_passed = [] {
    RunEnding run = standard_run();
    REQUIRE(run.stop(R::kOutputLimit, at(0s)) == A::kInterrupt);
    return run;
  };
  for (const V claim : {V::kOk, V::kException, V::kExit, V::kCancelled}) {
    INFO(to_string(claim));
    RunEnding run = limit_passed();
    run.claimed(claim, 7);
    CHECK(run.ending()->verdict == V::kOutputLimit);
    CHECK(run.ending()->rung == Rung::kInterrupt);
    CHECK(run.ending()->limit == "output_bytes=1048576");
    CHECK(run.ending()->exit_status == 153);
  }
  for (const WaitStatus status : {exited(3), signalled(SIGSEGV), signalled(SIGKILL)}) {
    RunEnding run = limit_passed();
    run.died(status);
    CHECK(run.ending()->verdict == V::kOutputLimit);
    CHECK(run.ending()->exit_status == 153);
  }
  RunEnding run = limit_passed();
  run.lost(LostWhy::kHeartbeat);
  CHECK(run.ending()->verdict == V::kOutputLimit);
}

TEST_CASE("a claim that was under way when the kill was sent still counts", "[ending]") {
  SECTION("of an end by itself") {
    RunEnding run = standard_run();
    run.stop(R::kTimeout, at(0s));
    run.check(at(1s));
    run.claimed(V::kOk, 0);
    CHECK(run.ending()->verdict == V::kTimeout);
    CHECK(run.ending()->rung == Rung::kInterrupt);
  }
  SECTION("of the interrupt") {
    RunEnding run = standard_run();
    run.stop(R::kTimeout, at(0s));
    run.check(at(1s));
    run.claimed(V::kCancelled, 0);
    CHECK(run.ending()->verdict == V::kTimeout);
    CHECK(run.ending()->rung == Rung::kInterrupt);
  }
  SECTION("but the worker is gone") {
    RunEnding run = standard_run();
    run.kill(R::kShutdown, at(0s));
    run.claimed(V::kOk, 0);
    CHECK_FALSE(run.ending()->worker_survives);
  }
}

TEST_CASE("deaths by nobody's hand are the program's own", "[ending]") {
  SECTION("os._exit") {
    RunEnding run = standard_run();
    run.died(exited(3));
    CHECK(run.ending()->verdict == V::kExit);
    CHECK(run.ending()->exit_code == 3);
    CHECK(run.ending()->exit_status == 3);
    CHECK(run.ending()->rung == Rung::kNone);
    CHECK_FALSE(run.ending()->worker_survives);
  }
  SECTION("os._exit(0) is an exit too, and the code is there") {
    RunEnding run = standard_run();
    run.died(exited(0));
    CHECK(run.ending()->verdict == V::kExit);
    CHECK(run.ending()->exit_code == 0);
  }
  SECTION("a crash") {
    RunEnding run = standard_run();
    run.died(signalled(SIGSEGV));
    CHECK(run.ending()->verdict == V::kCrashed);
    CHECK(run.ending()->signal == SIGSEGV);
    CHECK(run.ending()->exit_status == 128 + SIGSEGV);
    CHECK_FALSE(run.ending()->exit_code);
    CHECK_THAT(run.ending()->detail, Catch::Contains("SIGSEGV"));
  }
  SECTION("a core dump is a crash by the same signal") {
    RunEnding run = standard_run();
    run.died(WaitStatus(SIGABRT | 0x80));
    CHECK(run.ending()->signal == SIGABRT);
  }
  SECTION("SIGKILL that we did not send") {
    RunEnding run = standard_run();
    run.died(signalled(SIGKILL));
    CHECK(run.ending()->verdict == V::kCrashed);
  }
  SECTION("SIGKILL that we did not send, while a timeout was under way") {
    RunEnding run = standard_run();
    run.stop(R::kTimeout, at(0s));
    run.died(signalled(SIGKILL));
    CHECK(run.ending()->verdict == V::kTimeout);
    CHECK(run.ending()->signal == SIGKILL);
  }
  SECTION("after a stop was asked for: the stop's verdict, the death in the evidence") {
    RunEnding run = standard_run();
    run.kill(R::kShutdown, at(0s));
    run.died(signalled(SIGSEGV));
    CHECK(run.ending()->verdict == V::kAborted);
    CHECK(run.ending()->signal == SIGSEGV);
  }
}

TEST_CASE("the first to end a run decides, later events change nothing", "[ending]") {
  RunEnding run = standard_run();
  run.claimed(V::kOk, 0);
  run.died(signalled(SIGSEGV));
  run.link_closed(at(1s));
  CHECK(run.claimed(V::kException, 1) == A::kNothing);
  CHECK(run.lost(LostWhy::kHeartbeat) == A::kNothing);
  CHECK(run.stop(R::kClientCancel, at(1s)) == A::kNothing);
  CHECK(run.kill(R::kShutdown, at(1s)) == A::kNothing);
  CHECK(run.check(at(1h)) == A::kNothing);
  CHECK(run.ending()->verdict == V::kOk);
  CHECK(run.next_check() == TimePoint::max());
}

TEST_CASE("a closed link waits for the kernel's word", "[ending]") {
  RunEnding run = standard_run();
  run.link_closed(at(1s));
  CHECK_FALSE(run.ending());
  CHECK(run.next_check() == at(1500ms));
  SECTION("which is the verdict when it comes") {
    run.died(signalled(SIGSEGV));
    CHECK(run.ending()->verdict == V::kCrashed);
  }
  SECTION("and without one the worker is lost and killed") {
    CHECK(run.check(at(1499ms)) == A::kNothing);
    CHECK(run.check(at(1500ms)) == A::kKill);
    CHECK(run.ending()->verdict == V::kWorkerLost);
    CHECK(run.ending()->rung == Rung::kKill);
    CHECK(run.ending()->exit_status == 137);
  }
  SECTION("and telling it again does not prolong the wait") {
    run.link_closed(at(1400ms));
    CHECK(run.next_check() == at(1500ms));
  }
}

TEST_CASE("a link that closes after the kernel killed for memory waits for its word longer", "[ending]") {
  RunEnding run(RunLimits{0s, 1s, 1048576});
  run.started(at(0s));
  run.link_closed(at(1s), 1);
  CHECK(run.check(at(10999ms)) == A::kNothing);
  SECTION("which says that it was out of memory") {
    run.died(signalled(SIGKILL), {0, 1});
    CHECK(run.ending()->verdict == V::kOutOfMemory);
  }
  SECTION("and does not wait for ever") {
    CHECK(run.check(at(11s)) == A::kKill);
    CHECK(run.ending()->verdict == V::kWorkerLost);
  }
}

TEST_CASE("a worker without heartbeat is killed and lost", "[ending]") {
  RunEnding run = standard_run();
  CHECK(run.lost(LostWhy::kHeartbeat) == A::kKill);
  CHECK(run.ending()->verdict == V::kWorkerLost);
  CHECK(run.ending()->rung == Rung::kKill);
  CHECK_THAT(run.ending()->detail, Catch::Contains("heartbeat"));
}

TEST_CASE("a worker that says it could not take the run is lost, and has not lied", "[ending]") {
  RunEnding run = standard_run();
  CHECK(run.claimed(V::kInternalError, 0) == A::kKill);
  CHECK(run.ending()->verdict == V::kWorkerLost);
  CHECK(run.ending()->rung == Rung::kKill);
  CHECK_THAT(run.ending()->detail, Catch::Contains("could not take the run"));
}

TEST_CASE("a capsule that is gone took the worker along", "[ending]") {
  SECTION("by itself") {
    RunEnding run = standard_run();
    CHECK(run.lost(LostWhy::kCapsule) == A::kNothing);
    CHECK(run.ending()->verdict == V::kWorkerLost);
    CHECK(run.ending()->rung == Rung::kNone);
  }
  SECTION("by our kill") {
    RunEnding run = standard_run();
    run.kill(R::kTimeout, at(0s));
    CHECK(run.lost(LostWhy::kCapsule) == A::kNothing);
    CHECK(run.ending()->verdict == V::kTimeout);
    CHECK(run.ending()->rung == Rung::kKill);
    CHECK(run.ending()->signal == SIGKILL);
  }
}

TEST_CASE("after our kill a missing heartbeat or a broken frame tells nothing new", "[ending]") {
  RunEnding run = standard_run();
  run.kill(R::kClientCancel, at(0s));
  CHECK(run.lost(LostWhy::kHeartbeat) == A::kNothing);
  CHECK(run.lost(LostWhy::kProtocol) == A::kNothing);
  CHECK(run.claimed(V::kTimeout, 0) == A::kNothing);
  CHECK_FALSE(run.ending());
  run.died(signalled(SIGKILL));
  CHECK(run.ending()->verdict == V::kCancelled);
}

TEST_CASE("a death that nobody confirms does not keep the run", "[ending]") {
  RunEnding run = standard_run();
  CHECK(run.kill(R::kClientCancel, at(0s)) == A::kKill);
  CHECK(run.check(at(2s)) == A::kNothing);
  CHECK(run.next_check() == at(5s));
  CHECK(run.check(at(5s)) == A::kNothing);
  REQUIRE(run.ending());
  CHECK(run.ending()->verdict == V::kCancelled);
  CHECK(run.ending()->rung == Rung::kKill);
  CHECK_THAT(run.ending()->detail, Catch::Contains("not confirmed"));
  CHECK_FALSE(run.ending()->worker_survives);
}

TEST_CASE("a fault of ours is said to be ours", "[ending]") {
  RunEnding run = standard_run();
  run.not_started(V::kInternalError, "the pipes cannot be made");
  CHECK(run.ending()->verdict == V::kInternalError);
  CHECK(run.ending()->exit_status == 125);
  CHECK(run.ending()->detail == "the pipes cannot be made");
  CHECK(run.ending()->worker_survives);
}

TEST_CASE("a death by SIGKILL while the capsule was out of memory is out_of_memory", "[ending]") {
  RunEnding run(RunLimits{2s, 1s, 1048576, 0s, 4096});
  run.started(at(0s));
  run.died(signalled(SIGKILL), {0, 1});
  CHECK(run.ending()->verdict == V::kOutOfMemory);
  CHECK(run.ending()->limit == "memory_bytes=4096");
  CHECK(run.ending()->exit_status == 137);
  CHECK_FALSE(run.ending()->worker_survives);
}

TEST_CASE("a program that kills itself is crashed, whatever the kernel counted", "[ending]") {
  RunEnding run = standard_run();
  run.died(signalled(SIGKILL), {SIGKILL, 1});
  CHECK(run.ending()->verdict == V::kCrashed);
  RunEnding other = standard_run();
  other.died(signalled(SIGSEGV), {0, 1});
  CHECK(other.ending()->verdict == V::kCrashed);
}

TEST_CASE("SIGSYS from the kernel is a violation, from the program itself a crash", "[ending]") {
  RunEnding run = standard_run();
  run.died(signalled(SIGSYS), {});
  CHECK(run.ending()->verdict == V::kViolation);
  CHECK(run.ending()->exit_status == 159);
  RunEnding own = standard_run();
  own.died(signalled(SIGSYS), {SIGSYS, 0});
  CHECK(own.ending()->verdict == V::kCrashed);
}

TEST_CASE("limits of processor time and memory have their own verdicts", "[ending]") {
  RunEnding cpu(RunLimits{2s, 1s, 1048576, 1500ms, 4096});
  cpu.started(at(0s));
  CHECK(cpu.stop(R::kCpuLimit, at(1s)) == A::kInterrupt);
  cpu.claimed(V::kCancelled, 0);
  CHECK(cpu.ending()->verdict == V::kCpuLimit);
  CHECK(cpu.ending()->limit == "cpu_ms=1500");
  CHECK(cpu.ending()->worker_survives);
  RunEnding memory(RunLimits{2s, 1s, 1048576, 0s, 4096});
  memory.started(at(0s));
  CHECK(memory.kill(R::kMemoryLimit, at(1s)) == A::kKill);
  memory.died(signalled(SIGKILL), {});
  CHECK(memory.ending()->verdict == V::kOutOfMemory);
  CHECK(memory.ending()->limit == "memory_bytes=4096");
}

TEST_CASE("a program that the kernel ends for memory while it is stopped keeps the reason of the stop", "[ending]") {
  RunEnding run = standard_run();
  run.check(at(2s));
  run.died(signalled(SIGKILL), {0, 1});
  CHECK(run.ending()->verdict == V::kTimeout);
}

TEST_CASE("a program that never started leaves its worker as it was", "[ending]") {
  RunEnding ending({});
  ending.not_started(Verdict::kCancelled, "stopped before it started");
  REQUIRE(ending.ending());
  CHECK(ending.ending()->verdict == Verdict::kCancelled);
  CHECK(ending.ending()->worker_survives);
  CHECK(ending.stop(StopReason::kClientGone, at(0s)) == StopAction::kNothing);
}
