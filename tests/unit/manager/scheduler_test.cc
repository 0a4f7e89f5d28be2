#include "manager/schedule/scheduler.h"

#include <catch2/catch.hpp>
#include <map>

#include "tests/unit/manager/moment.h"

using namespace capsule;

namespace {

constexpr SchedulerLimits kWide{1000, 1000, 0};
const Scheduler::Capacity kAlways = [](const std::string&) { return true; };
const Scheduler::Capacity kNever = [](const std::string&) { return false; };

QueuedRun run(RunId id, ClientKey client, std::string session = "", std::string profile = "base") {
  QueuedRun made;
  made.id = std::move(id);
  made.client = client;
  made.session = std::move(session);
  made.profile = std::move(profile);
  return made;
}

void submit(Scheduler& scheduler, QueuedRun queued) { REQUIRE(scheduler.submit(std::move(queued), at(0s))); }

// The ids that next() hands out until it has none.
std::string drain(Scheduler& scheduler, const Scheduler::Capacity& capacity = kAlways) {
  std::string order;
  while (const auto next = scheduler.next(capacity)) order += (order.empty() ? "" : " ") + next->id;
  return order;
}

}  // namespace

TEST_CASE("a client's one-shot runs go in order of arrival", "[scheduler]") {
  Scheduler scheduler(kWide);
  for (const char* id : {"c", "a", "b"}) submit(scheduler, run(id, 1));
  CHECK(drain(scheduler) == "c a b");
  CHECK(scheduler.running() == 3);
  CHECK(scheduler.depth() == 0);
}

TEST_CASE("clients take turns, however much each has queued", "[scheduler]") {
  Scheduler scheduler(kWide);
  for (const char* id : {"a1", "a2", "a3", "a4"}) submit(scheduler, run(id, 1));
  submit(scheduler, run("b1", 2));
  submit(scheduler, run("c1", 3));
  submit(scheduler, run("c2", 3));
  CHECK(drain(scheduler) == "a1 b1 c1 a2 c2 a3 a4");
}

TEST_CASE("a user who may have no further worker waits, its sessions and other users do not", "[scheduler]") {
  Scheduler scheduler(kWide);
  for (const char* id : {"a1", "a2"}) submit(scheduler, run(id, 1));
  submit(scheduler, run("a-in-session", 1, "s"));
  QueuedRun other = run("b1", 2);
  other.uid = 1000;
  submit(scheduler, other);
  const Scheduler::Allowance not_root = [](uid_t uid) { return uid != 0; };
  CHECK(scheduler.next(kAlways, not_root)->id == "a-in-session");
  CHECK(scheduler.next(kAlways, not_root)->id == "b1");
  CHECK_FALSE(scheduler.next(kAlways, not_root));
  CHECK(drain(scheduler) == "a1 a2");
}

TEST_CASE("the turn goes on where it was, not at the first client again", "[scheduler]") {
  Scheduler scheduler(kWide);
  submit(scheduler, run("a1", 1));
  submit(scheduler, run("a2", 1));
  submit(scheduler, run("b1", 2));
  CHECK(scheduler.next(kAlways)->id == "a1");
  submit(scheduler, run("c1", 3));
  CHECK(drain(scheduler) == "b1 c1 a2");
}

TEST_CASE("a newcomer waits for one round at most", "[scheduler]") {
  Scheduler scheduler(kWide);
  for (int i = 0; i < 200; ++i) submit(scheduler, run("flood" + std::to_string(i), 1));
  for (int i = 0; i < 10; ++i) REQUIRE(scheduler.next(kAlways));
  submit(scheduler, run("newcomer", 2));
  CHECK(scheduler.next(kAlways)->id == "newcomer");
}

TEST_CASE("submit says how many runs are ahead", "[scheduler]") {
  Scheduler scheduler(kWide);
  CHECK(scheduler.submit(run("a", 1), at(0s)) == 0);
  CHECK(scheduler.submit(run("b", 2), at(0s)) == 1);
  REQUIRE(scheduler.next(kAlways));
  CHECK(scheduler.submit(run("c", 1), at(0s)) == 1);
}

TEST_CASE("refused runs are counted and leave nothing behind", "[scheduler]") {
  Scheduler scheduler({2, 1, 0});
  submit(scheduler, run("a", 1));
  CHECK_FALSE(scheduler.submit(run("b", 1), at(0s)));
  submit(scheduler, run("c", 2));
  CHECK_FALSE(scheduler.submit(run("d", 3), at(0s)));
  CHECK(scheduler.rejected() == 2);
  CHECK(scheduler.depth() == 2);
  CHECK_FALSE(scheduler.is_queued("b"));
}

TEST_CASE("active runs do not count against the queue's limits", "[scheduler]") {
  Scheduler scheduler({1, 1, 0});
  for (const char* id : {"a", "b", "c"}) {
    submit(scheduler, run(id, 1));
    REQUIRE(scheduler.next(kAlways));
  }
  CHECK(scheduler.running() == 3);
}

TEST_CASE("max_running holds runs back until one is finished", "[scheduler]") {
  Scheduler scheduler({100, 100, 2});
  for (const char* id : {"a", "b", "c"}) submit(scheduler, run(id, 1));
  submit(scheduler, run("s", 2, "session"));
  CHECK(drain(scheduler) == "a s");
  scheduler.finished("a");
  CHECK(drain(scheduler) == "b");
  scheduler.set_limits({100, 100, 0});
  CHECK(drain(scheduler) == "c");
}

TEST_CASE("a profile without capacity holds up its own runs only", "[scheduler]") {
  Scheduler scheduler(kWide);
  submit(scheduler, run("a1", 1, "", "data"));
  submit(scheduler, run("a2", 1, "", "base"));
  submit(scheduler, run("b1", 2, "", "data"));
  const Scheduler::Capacity base_only = [](const std::string& profile) { return profile == "base"; };
  CHECK(drain(scheduler, base_only) == "a2");
  CHECK(drain(scheduler) == "b1 a1");
}

TEST_CASE("capacity is asked once a profile in one call, and never for sessions", "[scheduler]") {
  Scheduler scheduler(kWide);
  for (int i = 0; i < 50; ++i) submit(scheduler, run("a" + std::to_string(i), 1, "", i % 2 ? "data" : "base"));
  submit(scheduler, run("s", 9, "session", "other"));
  std::map<std::string, int> asked;
  const auto next = scheduler.next([&](const std::string& profile) {
    ++asked[profile];
    return false;
  });
  REQUIRE(next);
  CHECK(next->id == "s");
  CHECK(asked == std::map<std::string, int>{{"base", 1}, {"data", 1}});
}

TEST_CASE("a session runs one thing at a time in order of arrival over all clients", "[scheduler]") {
  Scheduler scheduler(kWide);
  submit(scheduler, run("first", 5, "s"));
  submit(scheduler, run("second", 1, "s"));
  submit(scheduler, run("third", 5, "s"));
  CHECK(drain(scheduler, kNever) == "first");
  CHECK(scheduler.session_is_busy("s"));
  CHECK(scheduler.queued_of_session("s") == 2);
  scheduler.finished("first");
  CHECK(drain(scheduler, kNever) == "second");
  scheduler.finished("second");
  CHECK(drain(scheduler, kNever) == "third");
  scheduler.finished("third");
  CHECK_FALSE(scheduler.session_is_busy("s"));
}

TEST_CASE("a busy session does not hold up its client's other runs", "[scheduler]") {
  Scheduler scheduler(kWide);
  for (const char* id : {"s1", "s2"}) submit(scheduler, run(id, 1, "s"));
  submit(scheduler, run("shot", 1));
  submit(scheduler, run("t1", 1, "t"));
  CHECK(drain(scheduler) == "s1 shot t1");
}

TEST_CASE("a blocked session starts nothing until it is unblocked", "[scheduler]") {
  Scheduler scheduler(kWide);
  scheduler.block_session("s");
  submit(scheduler, run("a", 1, "s"));
  CHECK(drain(scheduler).empty());
  scheduler.unblock_session("s");
  CHECK(drain(scheduler) == "a");
}

TEST_CASE("a run whose worker died before it began is queued again, first", "[scheduler]") {
  Scheduler scheduler(kWide);
  submit(scheduler, run("a", 1));
  submit(scheduler, run("b", 1));
  CHECK(scheduler.next(kAlways)->id == "a");
  scheduler.put_back("a");
  CHECK(scheduler.running() == 0);
  CHECK(scheduler.depth() == 2);
  CHECK(drain(scheduler) == "a b");
}

TEST_CASE("a session's run that is put back frees the session and keeps the order", "[scheduler]") {
  Scheduler scheduler(kWide);
  submit(scheduler, run("a", 1, "s"));
  submit(scheduler, run("b", 2, "s"));
  REQUIRE(scheduler.next(kAlways));
  scheduler.put_back("a");
  CHECK_FALSE(scheduler.session_is_busy("s"));
  CHECK(drain(scheduler) == "a");
}

TEST_CASE("a queued run can be cancelled, an active one cannot be taken out", "[scheduler]") {
  Scheduler scheduler(kWide);
  submit(scheduler, run("a", 1));
  submit(scheduler, run("b", 1));
  REQUIRE(scheduler.next(kAlways));
  CHECK_FALSE(scheduler.cancel_queued("a"));
  CHECK(scheduler.cancel_queued("b")->id == "b");
  CHECK_FALSE(scheduler.cancel_queued("b"));
  CHECK(scheduler.running() == 1);
}

TEST_CASE("cancelling a session's first lets its next one go", "[scheduler]") {
  Scheduler scheduler(kWide);
  submit(scheduler, run("a", 1, "s"));
  submit(scheduler, run("b", 2, "s"));
  REQUIRE(scheduler.cancel_queued("a"));
  CHECK(drain(scheduler) == "b");
}

TEST_CASE("what a client or session leaves behind is handed back", "[scheduler]") {
  Scheduler scheduler(kWide);
  submit(scheduler, run("a1", 1));
  submit(scheduler, run("a2", 1, "s"));
  submit(scheduler, run("b1", 2, "s"));
  submit(scheduler, run("b2", 2));
  CHECK(scheduler.drop_client(1).size() == 2);
  scheduler.block_session("s");
  const auto dropped = scheduler.drop_session("s");
  REQUIRE(dropped.size() == 1);
  CHECK(dropped[0].id == "b1");
  CHECK(scheduler.depth() == 1);
  submit(scheduler, run("again", 3, "s"));  // the name may be used again and is not blocked
  CHECK(drain(scheduler) == "b2 again");
}

TEST_CASE("finishing what is not active changes nothing", "[scheduler]") {
  Scheduler scheduler(kWide);
  submit(scheduler, run("a", 1, "s"));
  scheduler.finished("a");
  scheduler.finished("never seen");
  CHECK(scheduler.is_queued("a"));
  REQUIRE(scheduler.next(kAlways));
  scheduler.finished("a");
  scheduler.finished("a");
  CHECK(scheduler.running() == 0);
}

TEST_CASE("waits and deadlines are those of the queue", "[scheduler]") {
  Scheduler scheduler(kWide);
  CHECK(scheduler.oldest_wait(at(5s)) == 0s);
  auto timed = run("a", 1);
  timed.deadline = at(30s);
  REQUIRE(scheduler.submit(timed, at(1s)));
  REQUIRE(scheduler.submit(run("b", 2), at(2s)));
  CHECK(scheduler.oldest_wait(at(5s)) == 4s);
  CHECK(scheduler.oldest_wait(at(0s)) == 0s);
  CHECK(scheduler.next_deadline() == at(30s));
  CHECK(scheduler.by_client() == std::vector<std::pair<ClientKey, size_t>>{{1, 1}, {2, 1}});
  const auto expired = scheduler.take_expired(at(30s));
  REQUIRE(expired.size() == 1);
  CHECK(expired[0].queued_at == at(1s));
  CHECK(scheduler.oldest_wait(at(5s)) == 3s);
}

TEST_CASE("an active run's deadline is over", "[scheduler]") {
  Scheduler scheduler(kWide);
  auto timed = run("a", 1);
  timed.deadline = at(30s);
  submit(scheduler, timed);
  REQUIRE(scheduler.next(kAlways));
  CHECK_FALSE(scheduler.next_deadline());
  CHECK(scheduler.take_expired(at(1h)).empty());
}
