#include "manager/observe/span_file.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/posix_io.h"
#include "tests/unit/storage/record_files.h"

using namespace capsule;

namespace {

struct Directory {
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "capsule-spans-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string text(const std::string& name) const { return read_file(path + "/" + name, 1u << 20).value_or("(none)"); }
  SpanFile open(SpanFile::Limits limits) const { return SpanFile::open(path, limits).value(); }
  size_t files() const {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(path), std::filesystem::directory_iterator()));
  }
  std::string path;
};

}  // namespace

TEST_CASE("lines are appended, also to what an earlier manager left", "[spans]") {
  const Directory directory;
  for (const char* line : {"one", "two"}) {
    SpanFile file = directory.open({100, 2});
    REQUIRE(file.append(line));
  }
  CHECK(directory.text("traces.jsonl") == "one\ntwo\n");
}

TEST_CASE("a full file is followed by the next, and the oldest goes", "[spans]") {
  const Directory directory;
  SpanFile file = directory.open({10, 3});
  for (const char* line : {"aaaa", "bbbb", "cccc", "dddd", "eeee", "ffff", "gggg"}) REQUIRE(file.append(line));
  CHECK(directory.text("traces.jsonl") == "gggg\n");
  CHECK(directory.text("traces.1.jsonl") == "eeee\nffff\n");
  CHECK(directory.text("traces.2.jsonl") == "cccc\ndddd\n");
  CHECK(directory.files() == 4);  // and the lock
}

TEST_CASE("one file alone begins anew, and a line longer than a file is still written", "[spans]") {
  const Directory directory;
  SpanFile file = directory.open({10, 1});
  REQUIRE(file.append("short"));
  REQUIRE(file.append(std::string(50, 'x')));
  CHECK(directory.text("traces.jsonl") == std::string(50, 'x') + "\n");
  CHECK(directory.files() == 2);  // and the lock
}

TEST_CASE("without a directory there is no file", "[spans]") {
  CHECK_FALSE(SpanFile::open("/nonexistent/capsule", {10, 1}));
}

TEST_CASE("two managers on one state directory write to a directory each", "[spans]") {
  const Directory parent;
  const std::string path = parent.path + "/traces";
  auto first = SpanFile::open(path, {100, 1});
  auto second = SpanFile::open(path, {100, 1});
  REQUIRE((first && second));
  REQUIRE((first->append("mine") && second->append("yours")));
  CHECK(parent.text("traces/traces.jsonl") == "mine\n");
  CHECK(parent.text("traces.2/traces.jsonl") == "yours\n");
}

TEST_CASE("a disk that takes nothing costs whole lines only", "[spans]") {
  const Directory directory;
  SpanFile file = directory.open({1000, 1});
  REQUIRE(file.append("before"));
  {
    const FileSizeLimit full(10);
    CHECK_FALSE(file.append("this is longer than what there is room for"));
  }
  REQUIRE(file.append("after"));
  CHECK(directory.text("traces.jsonl") == "before\nafter\n");
}

TEST_CASE("a file that is taken away under a writer is made again", "[spans]") {
  const Directory directory;
  SpanFile file = directory.open({100, 2});
  REQUIRE(file.append("one"));
  SECTION("the file") { std::filesystem::remove(directory.path + "/traces.jsonl"); }
  SECTION("the directory") { std::filesystem::remove_all(directory.path); }
  REQUIRE(file.append("two"));
  CHECK(directory.text("traces.jsonl") == "two\n");
}
