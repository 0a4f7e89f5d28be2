// The tables of `info`, `ps` and `session ls`, and the long help texts, are fixed in tests/golden/cli.
// CAPSULE_ACCEPT_GOLDEN=1 writes them anew, and fails so that nobody leaves it on.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "base/posix_io.h"
#include "cli/command.h"
#include "cli/render_info.h"

namespace capsule::cli {
namespace {

std::string golden_path(const std::string& name) {
  const char* root = std::getenv("CAPSULE_SOURCE_ROOT");
  REQUIRE(root != nullptr);
  return std::string(root) + "/tests/golden/cli/" + name;
}

std::string document() {
  const auto text = read_file(golden_path("document.json"), 1 << 20);
  REQUIRE(text);
  return *text;
}

void check_golden(const std::string& name, const Result<std::string>& text) {
  REQUIRE(text);
  if (std::getenv("CAPSULE_ACCEPT_GOLDEN") != nullptr) {
    std::ofstream(golden_path(name), std::ios::binary) << *text;
    FAIL("wrote " << name);
  }
  CHECK(*text == read_file(golden_path(name), 1 << 20));
}

}  // namespace

TEST_CASE("info shows every section", "[cli][golden]") { check_golden("info.txt", render_info(document())); }

TEST_CASE("ps shows active runs, and finished ones when asked", "[cli][golden]") {
  check_golden("ps.txt", render_runs(document(), RunFilter::kActive));
}
TEST_CASE("ps --all shows finished runs, too", "[cli][golden]") {
  check_golden("ps_all.txt", render_runs(document(), RunFilter::kAll));
}
TEST_CASE("session ls shows when a session closes and what it can go back to", "[cli][golden]") {
  check_golden("session_ls.txt", render_sessions(document()));
}
TEST_CASE("inspect of a session shows what is in it, without driving the terminal", "[cli][golden]") {
  const auto document = read_file(golden_path("session.json"), 1 << 20);
  REQUIRE(document);
  check_golden("session.txt", render_session(*document));
}
TEST_CASE("stacks shows lines, or why there are none", "[cli]") {
  CHECK(render_stack(R"({"v":1,"stack":["Thread 1:","  File \"a\""],"missing":null})") == "Thread 1:\n  File \"a\"\n");
  CHECK(render_stack(R"({"v":1,"stack":[],"missing":"no code"})") == "(no code)\n");
  CHECK(render_stack(R"({"v":1,"stack":["\u001b[2J"]})") == "\\x1b[2J\n");
  CHECK_FALSE(render_stack("[]"));
}
TEST_CASE("the overview names every command", "[cli][golden]") { check_golden("help.txt", overview_text()); }

TEST_CASE("an empty manager is shown as such", "[cli][golden]") {
  check_golden("info_empty.txt", render_info(R"({"v":1,"pools":[],"workers":[],"sessions":[],"runs":[]})"));
}

TEST_CASE("ps --json filters like ps", "[cli]") {
  const std::string runs = R"({"v":1,"runs":[{"run_id":"a","state":"running"},{"run_id":"b","state":"finished"}]})";
  CHECK(runs_document(runs, RunFilter::kActive) == "{\"v\":1,\"runs\":[{\"run_id\":\"a\",\"state\":\"running\"}]}\n");
  CHECK(runs_document(runs, RunFilter::kAll) == runs + "\n");
}

TEST_CASE("session new shows the id alone", "[cli]") {
  CHECK(session_id_text(R"({"v":1,"session":"lab","profile":"base","state":"ready"})") == "lab\n");
  CHECK_FALSE(session_id_text(R"({"v":1})"));
}

TEST_CASE("documents that are not documents are errors", "[cli]") {
  for (const char* text : {"", "[]", "{", "null", "{\"v\":2}", "{}"}) {
    INFO(text);
    CHECK_FALSE(render_info(text));
    CHECK_FALSE(render_sessions(text));
    CHECK_FALSE(render_session(text));
    CHECK_FALSE(render_runs(text, RunFilter::kAll));
  }
}

TEST_CASE("fields of the wrong type never fail the rendering", "[cli]") {
  CHECK(render_info(R"({"v":1,"manager":[],"pools":{},"workers":[1,null],"sessions":"x","runs":[[]],"queue":3})"));
  CHECK(render_session(R"({"v":1,"worker":5,"pending":[1],"snapshots":{},"lineage":[],"limits":"x","namespace":[]})"));
  CHECK(render_session(R"({"v":1,"namespace":{"kinds":[],"list":[null,{"name":{},"shape":[[]],"bytes":"x"}]}})"));
  CHECK(render_stack(R"({"v":1,"stack":{},"missing":[]})"));
  CHECK(render_info(R"({"v":1,"pools":[{"workers":1,"recycles":[],"layers":{},"hit_ratio":"x","breaker":null}]})"));
}

}  // namespace capsule::cli
