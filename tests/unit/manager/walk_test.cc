#include "manager/files/walk.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <map>

#include "protocol/limits.h"
#include "tests/unit/manager/temp_tree.h"

namespace capsule {
namespace {

namespace fs = std::filesystem;

const WalkLimits kWide{4096, 100'000, 1u << 20, seconds(60)};
const Wanted kAll = [](const std::string&, const struct stat&) { return true; };

// Path to the reason why it was skipped.
std::map<std::string, std::string> reasons(const Walk& walk) {
  std::map<std::string, std::string> all;
  for (const Found& found : walk.found) all[found.path] = found.skipped;
  return all;
}

}  // namespace

TEST_CASE("a walk finds files at every depth, and says why it skips the others") {
  const TempTree tree;
  fs::create_directories(tree.path("d/e"));
  TempTree::write(tree.path("a"), "a");
  TempTree::write(tree.path("d/e/b"), "b");
  fs::create_symlink(tree.outside(), tree.path("d/link"));
  REQUIRE(mkfifo(tree.path("pipe").c_str(), 0600) == 0);
  TempTree::write(tree.path("large"), std::string(2u << 20, 'x'));
  const auto walk = walk_files(tree.fd(), "", kWide, kAll);
  REQUIRE(walk);
  CHECK(walk->incomplete.empty());
  CHECK(reasons(*walk) == std::map<std::string, std::string>{{"a", ""},
                                                             {"d/e/b", ""},
                                                             {"d/link", "a symbolic link"},
                                                             {"pipe", "a named pipe"},
                                                             {"large", "larger than 1.0 MiB"}});
}

TEST_CASE("a walk begins where it is told, and not behind a link") {
  const TempTree tree;
  fs::create_directories(tree.path("d/e"));
  TempTree::write(tree.path("a"), "a");
  TempTree::write(tree.path("d/e/b"), "b");
  fs::create_symlink(tree.outside(), tree.path("link"));
  const auto walk = walk_files(tree.fd(), "d", kWide, kAll);
  REQUIRE(walk);
  CHECK(reasons(*walk) == std::map<std::string, std::string>{{"d/e/b", ""}});
  CHECK_FALSE(walk_files(tree.fd(), "link", kWide, kAll));
  CHECK_FALSE(walk_files(tree.fd(), "a", kWide, kAll));
}

TEST_CASE("a tree deeper than a path may be is skipped where it gets too deep") {
  const TempTree tree;
  fs::path deep = tree.path();
  for (size_t i = 0; i < limits::kPathDepth + 3; ++i) deep /= "d";
  fs::create_directories(deep);
  TempTree::write(deep / "far", "x");
  const auto walk = walk_files(tree.fd(), "", kWide, kAll);
  REQUIRE(walk);
  REQUIRE(walk->found.size() == 1);
  CHECK(walk->found[0].skipped == "a directory too deep");
}

TEST_CASE("a walk stops at its limits and names the one it hit") {
  const TempTree tree;
  for (int i = 0; i < 200; ++i) TempTree::write(tree.path("f" + std::to_string(i)), "");
  const auto few = walk_files(tree.fd(), "", {10, 100'000, 1, seconds(60)}, kAll);
  REQUIRE(few);
  CHECK(few->found.size() == 10);
  CHECK(few->incomplete == "more than 10 files");
  const auto short_sighted = walk_files(tree.fd(), "", {4096, 50, 1, seconds(60)}, kAll);
  REQUIRE(short_sighted);
  CHECK(short_sighted->found.size() == 50);
  CHECK(short_sighted->incomplete == "more than 50 names");
  const auto hurried = walk_files(tree.fd(), "", {4096, 100'000, 1, seconds(0)}, kAll);
  REQUIRE(hurried);
  CHECK(hurried->incomplete == "it took too long");
}

TEST_CASE("names come back byte for byte") {
  const TempTree tree;
  for (const std::string name : {"new\nline", "\x1B[31mred", "half\xC3"}) TempTree::write(tree.path(name), "x");
  TempTree::write(tree.path(std::string(255, 'n')), "x");
  const auto walk = walk_files(tree.fd(), "", kWide, kAll);
  REQUIRE(walk);
  CHECK(reasons(*walk) == std::map<std::string, std::string>{
                              {"new\nline", ""}, {"\x1B[31mred", ""}, {"half\xC3", ""}, {std::string(255, 'n'), ""}});
}

}  // namespace capsule
