// What counts as a change of a workspace: real files in a temporary directory.
#include "worker/sandbox/tree_fingerprint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

namespace capsule::sandbox {
namespace {

class Tree {
 public:
  Tree() {
    std::string name = "/tmp/capsule-fingerprint-XXXXXX";
    path_ = mkdtemp(name.data());
    std::filesystem::create_directory(path_ / "lib");
    write("a.txt", "one");
    write("lib/b.py", "b = 1\n");
    place_ = {UniqueFd(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), {}};
    look();
  }
  ~Tree() { std::filesystem::remove_all(path_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(path_ / name) << text; }
  void look() { place_.fingerprint = fingerprint_of(place_.source.get()); }
  bool is_current() const { return are_current({&place_, 1}); }
  const std::filesystem::path& path() const { return path_; }
  CopiedPlace& place() { return place_; }

 private:
  std::filesystem::path path_;
  CopiedPlace place_;
};

}  // namespace

TEST_CASE("a workspace that nobody touched is as it was", "[fingerprint]") {
  Tree tree;
  REQUIRE(tree.place().fingerprint);
  CHECK(tree.is_current());
  std::ifstream(tree.path() / "a.txt").get();  // reading is no change
  CHECK(tree.is_current());
}

TEST_CASE("each kind of change is seen, and only until it is looked at again", "[fingerprint]") {
  Tree tree;
  const std::vector<std::pair<std::string, std::function<void()>>> changes{
      {"a new file", [&] { tree.write("new.txt", ""); }},
      {"a file below that grew", [&] { tree.write("lib/b.py", "b = 1\nc = 2\n"); }},
      {"other bytes, as many", [&] { tree.write("a.txt", "two"); }},
      {"other bytes and the old time",
       [&] {
         const auto before = std::filesystem::last_write_time(tree.path() / "a.txt");
         tree.write("a.txt", "six");
         std::filesystem::last_write_time(tree.path() / "a.txt", before);
       }},
      {"a name", [&] { std::filesystem::rename(tree.path() / "new.txt", tree.path() / "newer.txt"); }},
      {"rights", [&] { chmod((tree.path() / "a.txt").c_str(), 0600); }},
      {"a link", [&] { std::filesystem::create_symlink("a.txt", tree.path() / "link"); }},
      {"a file less", [&] { std::filesystem::remove(tree.path() / "newer.txt"); }},
      {"an empty directory", [&] { std::filesystem::create_directory(tree.path() / "lib/deep"); }}};
  for (const auto& [what, change] : changes) {
    INFO(what);
    usleep(5000);  // a tick of the clock that stamps files
    change();
    CHECK_FALSE(tree.is_current());
    tree.look();
    CHECK(tree.is_current());
  }
}

TEST_CASE("a tree that is too large or too deep is never taken for unchanged", "[fingerprint]") {
  Tree tree;
  const UniqueFd at(open(tree.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (size_t i = 0; i < kFingerprintEntries; ++i) {
    REQUIRE(mknodat(at.get(), ("n" + std::to_string(i)).c_str(), S_IFREG | 0600, 0) == 0);
  }
  tree.look();
  CHECK_FALSE(tree.place().fingerprint);
  CHECK_FALSE(tree.is_current());
}

}  // namespace capsule::sandbox
