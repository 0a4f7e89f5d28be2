#include "cli/socket_path.h"

#include <catch2/catch.hpp>

namespace capsule::cli {
namespace {
const SocketCandidate kSystem{"/run/capsule/capsule.sock", SocketOwner::kSystem};
}

TEST_CASE("the flag wins over everything and is the only candidate", "[cli]") {
  const auto found = socket_candidates({"a.sock", "/env.sock", "/run/user/7", 7});
  CHECK(found == std::vector<SocketCandidate>{{"a.sock", SocketOwner::kNamed}});
}

TEST_CASE("CAPSULE_SOCKET wins over the directories", "[cli]") {
  const auto found = socket_candidates({"", "/env.sock", "/run/user/7", 7});
  CHECK(found == std::vector<SocketCandidate>{{"/env.sock", SocketOwner::kNamed}});
}

TEST_CASE("the user's runtime directory comes before the system's", "[cli]") {
  const auto found = socket_candidates({"", "", "/run/user/7", 7});
  CHECK(found == std::vector<SocketCandidate>{{"/run/user/7/capsule/capsule.sock", SocketOwner::kUser}, kSystem});
}

TEST_CASE("an ordinary user without a runtime directory has a place in /tmp", "[cli]") {
  const auto found = socket_candidates({"", "", "", 7});
  CHECK(found == std::vector<SocketCandidate>{{"/tmp/capsule-7/capsule.sock", SocketOwner::kUser}, kSystem});
}

TEST_CASE("a relative runtime directory is ignored, as its specification says", "[cli]") {
  CHECK(socket_candidates({"", "", "run", 7}).front().path == "/tmp/capsule-7/capsule.sock");
}

TEST_CASE("root without a runtime directory uses the system's place", "[cli]") {
  CHECK(socket_candidates({"", "", "", 0}) == std::vector<SocketCandidate>{kSystem});
}

}  // namespace capsule::cli
