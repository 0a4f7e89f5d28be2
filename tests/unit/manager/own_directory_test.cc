// Directories at places where others may have been first.
#include "manager/files/own_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/unit/manager/temp_tree.h"

namespace capsule {

TEST_CASE("a directory that is not there is made for its owner only, with what is above it") {
  const TempTree tree;
  const auto place = tree.path("a") / "b";
  REQUIRE(make_own_directory(place.string()));
  struct stat facts {};
  REQUIRE(stat(place.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0700);
  CHECK(make_own_directory(place.string()));
}

TEST_CASE("one that others can write to is not ours") {
  const TempTree tree;
  const auto place = tree.path("open");
  REQUIRE(mkdir(place.c_str(), 0700) == 0);
  for (const mode_t mode : {0777u, 0770u, 0720u}) {
    REQUIRE(chmod(place.c_str(), mode) == 0);
    CHECK(make_own_directory(place.string()).error().code == Errc::kRefused);
  }
  REQUIRE(chmod(place.c_str(), 01777) == 0);  // nobody can remove what another one made
  CHECK(make_own_directory(place.string()));
}

TEST_CASE("a file in its place is refused") {
  const TempTree tree;
  TempTree::write(tree.path("file"), "x");
  CHECK(make_own_directory(tree.path("file").string()).error().code == Errc::kRefused);
}

TEST_CASE("what another user made first is refused: a directory, and a link to one of ours") {
  if (geteuid() != 0) {
    WARN("not tried: only root can make what is another user's");
    return;
  }
  const TempTree tree;
  constexpr uid_t kOther = 61234;
  const auto foreign = tree.path("foreign"), link = tree.path("link");
  REQUIRE(mkdir(foreign.c_str(), 0700) == 0);
  REQUIRE(chown(foreign.c_str(), kOther, kOther) == 0);
  CHECK(make_own_directory(foreign.string()).error().code == Errc::kRefused);
  REQUIRE(symlink(tree.path().c_str(), link.c_str()) == 0);
  CHECK(make_own_directory(link.string()));
  REQUIRE(lchown(link.c_str(), kOther, kOther) == 0);
  CHECK(make_own_directory(link.string()).error().code == Errc::kRefused);
}

}  // namespace capsule
