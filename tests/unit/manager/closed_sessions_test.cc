#include "manager/sessions/closed_sessions.h"

#include <catch2/catch.hpp>

namespace capsule {
namespace {

const TimePoint kStart = TimePoint{} + seconds(100);
constexpr uid_t kOwner = 1000, kOther = 1001, kRoot = 0;

TEST_CASE("who asks for a session that is no more hears why, and since when") {
  ClosedSessions closed;
  closed.note("one", kOwner, "the session was removed", kStart);
  CHECK(closed.tell("one", kOwner, kStart + seconds(3)) == "the session was removed, 3 s ago");
  CHECK(closed.tell("one", kRoot, kStart) == "the session was removed, 0 s ago");
  CHECK(closed.tell("two", kOwner, kStart).empty());
}

TEST_CASE("another user does not hear that there was one") {
  ClosedSessions closed;
  closed.note("one", kOwner, "the session was removed", kStart);
  CHECK(closed.tell("one", kOther, kStart).empty());
}

TEST_CASE("of several with one name the latest is meant") {
  ClosedSessions closed;
  closed.note("one", kOwner, "first", kStart);
  closed.note("one", kOwner, "second", kStart + seconds(1));
  closed.note("one", kOther, "third", kStart + seconds(2));
  CHECK(closed.tell("one", kOwner, kStart + seconds(2)) == "second, 1 s ago");
  CHECK(closed.tell("one", kRoot, kStart + seconds(2)) == "third, 0 s ago");
}

TEST_CASE("what is older than the latest thousand is forgotten") {
  ClosedSessions closed;
  for (size_t i = 0; i <= ClosedSessions::kKept; ++i) closed.note("s" + std::to_string(i), kOwner, "removed", kStart);
  CHECK(closed.tell("s0", kOwner, kStart).empty());
  CHECK_FALSE(closed.tell("s1", kOwner, kStart).empty());
}

}  // namespace
}  // namespace capsule
