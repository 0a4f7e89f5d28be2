// What programs leave to annoy whoever cleans up. As root modes stop nobody; then half of this is about the rest.
#include "manager/files/remove_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/unique_fd.h"
#include "tests/unit/manager/temp_tree.h"

namespace capsule {
namespace {

const std::atomic<bool> kNeverStop = false;

// A chain of directories, each closed, below `from`.
void dig(int from, int depth) {
  UniqueFd at(dup(from));
  std::vector<UniqueFd> closed;
  for (int i = 0; i < depth; ++i) {
    REQUIRE(mkdirat(at.get(), "deeper", 0700) == 0);
    UniqueFd next(openat(at.get(), "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(next);
    REQUIRE(fchmod(at.get(), 0) == 0);
    at = std::move(next);
  }
  REQUIRE(fchmod(at.get(), 0) == 0);
}

}  // namespace

TEST_CASE("deep and closed directories go, deeper than there are descriptors or a path can name") {
  const TempTree tree;
  REQUIRE(mkdir(tree.path("top").c_str(), 0700) == 0);
  const UniqueFd top(open(tree.path("top").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  dig(top.get(), 3000);
  REQUIRE(remove_tree(tree.fd(), "top", kNeverStop));
  CHECK_FALSE(std::filesystem::exists(tree.path("top")));
}

TEST_CASE("many names in many directories go, also those that the removal itself uses") {
  const TempTree tree;
  std::filesystem::create_directories(tree.path("top") / ".1");
  TempTree::write(tree.path("top") / ".2", "x");
  for (int d = 0; d < 5; ++d) {
    const auto inner = tree.path("top") / std::to_string(d) / "inner";
    std::filesystem::create_directories(inner / "most");
    for (int f = 0; f < 600; ++f) TempTree::write(inner / std::to_string(f), "x");
  }
  REQUIRE(remove_tree(tree.fd(), "top", kNeverStop));
  CHECK_FALSE(std::filesystem::exists(tree.path("top")));
}

TEST_CASE("links are removed and not followed, whatever they lead to") {
  const TempTree tree;
  std::filesystem::create_directories(tree.path("top") / "inner");
  for (const auto& at : {tree.path("top"), tree.path("top") / "inner"}) {
    std::filesystem::create_directory_symlink(tree.outside(), at / "directory");
    std::filesystem::create_symlink(tree.secret(), at / "file");
  }
  REQUIRE(chmod((tree.path("top") / "inner").c_str(), 0) == 0);
  struct stat before {
  }, after{};
  REQUIRE(stat(tree.outside().c_str(), &before) == 0);
  REQUIRE(remove_tree(tree.fd(), "top", kNeverStop));
  CHECK(tree.outside_is_untouched());
  REQUIRE(stat(tree.outside().c_str(), &after) == 0);
  CHECK(before.st_mode == after.st_mode);
}

TEST_CASE("a link in the place of the tree is not the tree") {
  const TempTree tree;
  std::filesystem::create_directory_symlink(tree.outside(), tree.path("top"));
  CHECK_FALSE(remove_tree(tree.fd(), "top", kNeverStop));
  CHECK(tree.outside_is_untouched());
}

TEST_CASE("what is gone is removed, and who stops is heard") {
  const TempTree tree;
  CHECK(remove_tree(tree.fd(), "nothing", kNeverStop));
  std::filesystem::create_directories(tree.path("top") / "inner");
  const std::atomic<bool> stop = true;
  CHECK(remove_tree(tree.fd(), "top", stop).error().code == Errc::kClosed);
  CHECK(std::filesystem::exists(tree.path("top") / "inner"));
}

}  // namespace capsule
