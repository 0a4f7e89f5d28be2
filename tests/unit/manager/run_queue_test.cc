#include "manager/schedule/run_queue.h"

#include <catch2/catch.hpp>

#include "tests/unit/manager/moment.h"

using namespace capsule;

namespace {

QueuedRun run(RunId id, ClientKey client = 1, std::string session = "") {
  QueuedRun made;
  made.id = std::move(id);
  made.client = client;
  made.session = std::move(session);
  made.profile = "base";
  return made;
}

std::vector<RunId> ids(const std::vector<QueuedRun>& runs) {
  std::vector<RunId> result;
  for (const QueuedRun& one : runs) result.push_back(one.id);
  return result;
}

using Ids = std::vector<RunId>;

}  // namespace

TEST_CASE("a full queue refuses with the knob's name and keeps what it has", "[queue]") {
  RunQueue queue({3, 2});
  REQUIRE(queue.push(run("a", 1)));
  REQUIRE(queue.push(run("b", 1)));
  const auto of_client = queue.push(run("c", 1));
  REQUIRE_FALSE(of_client);
  CHECK(of_client.error().code == Errc::kUnavailable);
  CHECK_THAT(of_client.error().message, Catch::Contains("queue.per_client = 2"));
  REQUIRE(queue.push(run("c", 2)));
  const auto in_all = queue.push(run("d", 3));
  REQUIRE_FALSE(in_all);
  CHECK(in_all.error().code == Errc::kUnavailable);
  CHECK_THAT(in_all.error().message, Catch::Contains("queue.capacity = 3"));
  CHECK(queue.size() == 3);
  CHECK_FALSE(queue.contains("d"));
  REQUIRE(queue.take("a"));
  CHECK(queue.push(run("d", 3)));
}

TEST_CASE("smaller limits leave queued runs alone", "[queue]") {
  RunQueue queue({10, 10});
  for (const char* id : {"a", "b", "c"}) REQUIRE(queue.push(run(id)));
  queue.set_limits({1, 1});
  CHECK(queue.size() == 3);
  CHECK_FALSE(queue.push(run("d")));
}

TEST_CASE("a run that comes back has its old place and passes the limits", "[queue]") {
  RunQueue queue({2, 2});
  const auto first = queue.push(run("a", 1, "s"));
  REQUIRE(first);
  REQUIRE(queue.push(run("b", 1, "s")));
  QueuedRun taken = queue.take(*first);
  REQUIRE(queue.push(run("c", 1, "s")));
  queue.put_back(*first, std::move(taken));
  CHECK(queue.size() == 3);
  CHECK(queue.first_of_session("s") == *first);
  CHECK(ids(queue.take_session("s")) == Ids{"a", "b", "c"});
}

TEST_CASE("runs are taken by id, client and session, in order of arrival", "[queue]") {
  RunQueue queue({10, 10});
  REQUIRE(queue.push(run("a", 1, "s")));
  REQUIRE(queue.push(run("b", 2, "s")));
  REQUIRE(queue.push(run("c", 1)));
  REQUIRE(queue.push(run("d", 2)));
  CHECK(queue.count_of_session("s") == 2);
  CHECK_FALSE(queue.take("nobody"));
  CHECK(queue.take("a")->id == "a");
  CHECK(queue.count_of_session("s") == 1);
  CHECK(ids(queue.take_client(2)) == Ids{"b", "d"});
  CHECK(queue.take_client(2).empty());
  CHECK(queue.take_session("s").empty());
  CHECK(queue.count_of_session("s") == 0);
  CHECK(queue.size() == 1);
  CHECK(queue.by_client().size() == 1);
}

TEST_CASE("expired runs come out oldest deadline first, others stay", "[queue]") {
  RunQueue queue({10, 10});
  auto late = run("late"), soon = run("soon"), never = run("never");
  late.deadline = at(20s);
  soon.deadline = at(10s);
  REQUIRE(queue.push(never));
  REQUIRE(queue.push(late));
  REQUIRE(queue.push(soon));
  CHECK(queue.next_deadline() == at(10s));
  CHECK(queue.take_expired(at(9999ms)).empty());
  CHECK(ids(queue.take_expired(at(10s))) == Ids{"soon"});
  CHECK(ids(queue.take_expired(at(1h))) == Ids{"late"});
  CHECK_FALSE(queue.next_deadline());
  CHECK(queue.contains("never"));
}

TEST_CASE("a taken run leaves no deadline behind", "[queue]") {
  RunQueue queue({10, 10});
  auto timed = run("a");
  timed.deadline = at(1s);
  REQUIRE(queue.push(timed));
  REQUIRE(queue.take("a"));
  CHECK_FALSE(queue.next_deadline());
  CHECK(queue.take_expired(at(1h)).empty());
  CHECK_FALSE(queue.oldest_queued_at());
}

TEST_CASE("a client's runs lie in one lane for each session and each profile", "[queue]") {
  RunQueue queue({10, 10});
  auto other_profile = run("c", 1);
  other_profile.profile = "data";
  REQUIRE(queue.push(run("a", 1)));
  REQUIRE(queue.push(run("b", 1, "s")));
  REQUIRE(queue.push(other_profile));
  REQUIRE(queue.push(run("d", 1)));
  REQUIRE(queue.push(run("e", 1, "s")));
  const auto& own = queue.by_client().at(1);
  CHECK(own.count == 5);
  REQUIRE(own.lanes.size() == 3);
  CHECK(own.lanes.at(Lane{"", "base"}).size() == 2);
  CHECK(own.lanes.at(Lane{"", "data"}).size() == 1);
  CHECK(own.lanes.at(Lane{"s", ""}).size() == 2);
  REQUIRE(queue.take("c"));
  CHECK(own.lanes.size() == 2);
  CHECK(ids(queue.take_client(1)) == Ids{"a", "b", "d", "e"});
  CHECK(queue.by_client().empty());
}

TEST_CASE("a session and a profile of the same name are different lanes", "[queue]") {
  RunQueue queue({10, 10});
  REQUIRE(queue.push(run("a", 1)));
  REQUIRE(queue.push(run("b", 1, "base")));
  CHECK(queue.by_client().at(1).lanes.size() == 2);
}
