#include "base/unique_fd.h"

#include <fcntl.h>

#include <catch2/catch.hpp>

#include "base/posix_io.h"

namespace capsule {
namespace {

bool is_open(int fd) { return fcntl(fd, F_GETFD) != -1; }

}  // namespace

TEST_CASE("a descriptor is closed when its owner goes") {
  int fd = -1;
  {
    const UniqueFd owner(open("/dev/null", O_RDONLY | O_CLOEXEC));
    fd = owner.get();
    REQUIRE(is_open(fd));
  }
  CHECK_FALSE(is_open(fd));
}

TEST_CASE("moving hands the descriptor over and closes what the target had") {
  UniqueFd from(open("/dev/null", O_RDONLY | O_CLOEXEC));
  UniqueFd to(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int kept = from.get();
  const int closed = to.get();
  to = std::move(from);
  CHECK(to.get() == kept);
  CHECK(is_open(kept));
  CHECK_FALSE(is_open(closed));
}

TEST_CASE("a released descriptor stays open and is nobody's") {
  UniqueFd owner(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd now_mine(owner.release());
  CHECK_FALSE(static_cast<bool>(owner));
  CHECK(is_open(now_mine.get()));
}

TEST_CASE("moving to itself changes nothing") {
  UniqueFd owner(open("/dev/null", O_RDONLY | O_CLOEXEC));
  UniqueFd& same = owner;
  owner = std::move(same);
  CHECK(is_open(owner.get()));
}

}  // namespace capsule
