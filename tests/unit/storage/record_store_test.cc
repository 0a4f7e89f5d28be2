// From the log to directories and the index: once, whatever is cut off where, and within what retention allows.
#include "manager/storage/record_store.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/posix_io.h"
#include "tests/unit/storage/record_files.h"

namespace capsule {
namespace {

using Json = nlohmann::json;
constexpr seconds kPlenty{60};

RecordsConfig config_of(uint64_t max_runs = 100, uint64_t max_bytes = 1u << 30) {
  return {max_runs, std::chrono::hours(24 * 365 * 100), max_bytes};
}

// A store and the writer beside it, as a manager has them. Destroying it is SIGKILL: nothing is tidied up.
struct Running {
  Running(const RecordDirectory& directory, const RecordsConfig& records)
      : config(records),
        store(RecordStore::open(directory.path() + "/records", records).value()),
        writer(store->log_directory(), store->next_segment()) {}

  void append(const std::string& frames) { REQUIRE(writer.append(frames)); }
  void run(const std::string& id, Verdict verdict = Verdict::kOk) {
    append(accepted_frames(id) + output_frame(id, 0, "1\n") + finished_frames(id, verdict));
    ++finals;
  }
  RecordStore::Progress step(Duration budget = kPlenty) { return store->step(budget, finals, config); }
  Json show(const std::string& id, uid_t uid = 0) { return Json::parse(store->show(uid, id).value()); }
  std::vector<std::string> ids(uid_t uid = 0) {
    std::vector<std::string> all;
    const Json document = Json::parse(store->list(uid, "", 0).value());
    for (const Json& run : document["runs"]) all.push_back(run["run_id"]);
    return all;
  }

  RecordsConfig config;
  std::shared_ptr<RecordStore> store;
  RecordLogWriter writer;
  uint64_t finals = 0;
};

std::string text_of(const RecordDirectory& directory, const std::string& id, const std::string& name) {
  return read_file(directory.path() + "/records/runs/" + id + "/" + name, 1u << 20).value_or("(none)");
}

size_t folders(const RecordDirectory& directory) {
  size_t number = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(directory.path() + "/records/runs")) {
    ++number;
  }
  return number;
}

size_t log_files(const RecordDirectory& directory) {
  size_t number = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(directory.path() + "/records/log")) {
    ++number;
  }
  return number;
}

}  // namespace

TEST_CASE("a run becomes a directory without empty files, and one row", "[records]") {
  const RecordDirectory directory;
  Running manager(directory, config_of());
  manager.run("run-1");
  const auto progress = manager.step();
  CHECK(progress.problem.empty());
  CHECK_FALSE(progress.is_behind);
  CHECK(progress.runs == 1);
  CHECK(progress.read_bytes == manager.writer.appended_bytes());
  CHECK(text_of(directory, "run-1", "stdout.txt") == "1\n");
  CHECK(text_of(directory, "run-1", "code.py") == "print(1)\n");
  CHECK(text_of(directory, "run-1", "stderr.txt") == "(none)");
  CHECK(text_of(directory, "run-1", "results.json") == "(none)");
  CHECK(text_of(directory, "run-1", "run-info.yaml").find("\nverdict: \"ok\"\n") != std::string::npos);
  CHECK(manager.show("run-1")["verdict"] == "ok");
}

TEST_CASE("the stack of a slow run is in its record, before its end and after it", "[records]") {
  const RecordDirectory directory;
  Running manager(directory, config_of());
  NoteWriter note;
  note.text("run_id", "run-1").number("at_ms", 1000).number("after_us", 2500000);
  manager.append(accepted_frames("run-1") + encode_frame(Ack{static_cast<uint64_t>(NoteKind::kSlow), note.take()}) +
                 encode_frame(Stack{0, "run-1", {"Thread 0x1:\n  File \"a\", line 1 in f\n"}}));
  manager.step();
  CHECK(manager.show("run-1")["slow_stack"]["after_s"] == 2.5);
  manager.append(finished_frames("run-1"));
  ++manager.finals;
  manager.step();
  const Json slow = manager.show("run-1")["slow_stack"];
  CHECK(slow["at"] == "1970-01-01T00:00:01.000Z");
  CHECK(slow["stack"] == Json::array({"Thread 0x1:", "  File \"a\", line 1 in f"}));
  CHECK(slow["missing"].is_null());
  CHECK(text_of(directory, "run-1", "run-info.yaml").find("line 1 in f") != std::string::npos);
}
TEST_CASE("an accepted run has its record before it ends", "[records]") {
  const RecordDirectory directory;
  Running manager(directory, config_of());
  manager.append(accepted_frames("run-1") + output_frame("run-1", 0, "a"));
  manager.step();
  CHECK(text_of(directory, "run-1", "run-info.yaml").find("\nstate: \"accepted\"\n") != std::string::npos);
  const auto data = manager.store->output(1000, "run-1", 1, 0).value();
  CHECK(data.data.value == "a");
  CHECK_FALSE(data.finished);
  manager.append(output_frame("run-1", 1, "b") + finished_frames("run-1"));
  CHECK(manager.store->output(1000, "run-1", 1, 1).value().data.value == "b");
  CHECK(manager.store->output(1000, "run-1", 1, 1).value().finished);
  CHECK(manager.ids() == std::vector<std::string>{"run-1"});
}

TEST_CASE("a manager that is killed leaves one end of each accepted run, at whatever moment", "[records]") {
  const std::string whole = accepted_frames("run-1") + output_frame("run-1", 0, "x") + finished_frames("run-1");
  const size_t accepted = accepted_frames("run-1").size();
  for (size_t cut = accepted; cut <= whole.size(); cut += 7) {
    for (const bool stepped : {false, true}) {
      const RecordDirectory directory;
      {
        Running killed(directory, config_of());
        killed.run("run-0");
        killed.append(whole.substr(0, cut));
        if (stepped) killed.step();
      }
      for (int start = 0; start < 2; ++start) {
        Running next(directory, config_of());
        next.step();
        INFO("cut " << cut << " stepped " << stepped << " start " << start);
        CHECK(next.show("run-0")["verdict"] == "ok");
        CHECK(next.show("run-1")["verdict"] == (cut == whole.size() ? "ok" : "aborted"));
        CHECK(next.show("run-1")["state"] == "finished");
        CHECK(next.ids().size() == 2);
        CHECK(next.store->aborted() == (start == 0 && cut < whole.size() ? 1 : 0));
      }
    }
  }
}

TEST_CASE("applying a log again changes nothing", "[records]") {
  const RecordDirectory directory;
  std::string first;
  {
    Running manager(directory, config_of());
    manager.append(accepted_frames("run-1") + output_frame("run-1", 0, "abc"));
    manager.step();
    manager.append(output_frame("run-1", 3, "def") + finished_frames("run-1"));
    manager.step();
    first = text_of(directory, "run-1", "run-info.yaml");
  }
  Running again(directory, config_of());
  CHECK(again.store->aborted() == 0);
  CHECK(again.step().runs == 1);
  CHECK(text_of(directory, "run-1", "stdout.txt") == "abcdef");
  CHECK(text_of(directory, "run-1", "run-info.yaml") == first);
}

TEST_CASE("an open run survives the file of the log that began it", "[records]") {
  const RecordDirectory directory;
  {
    Running manager(directory, config_of());
    manager.append(accepted_frames("long") + output_frame("long", 0, "early"));
    const std::string filler(1u << 20, 'x');
    for (int i = 0; i < 9; ++i)
      manager.append(output_frame("nobody", 0, filler.substr(0, 200'000)) + make_frame(filler));
    manager.append(accepted_frames("other"));
    manager.step();
    CHECK(log_files(directory) == 1);
  }
  Running next(directory, config_of());
  CHECK(next.store->aborted() == 2);
  next.step();
  CHECK(next.show("long")["verdict"] == "aborted");
  CHECK(next.show("long")["uid"] == 1000);
  CHECK(text_of(directory, "long", "stdout.txt") == "early");
}

TEST_CASE("retention keeps the latest runs, by number and by size", "[records]") {
  const RecordDirectory directory;
  Running manager(directory, config_of(10));
  for (int i = 10; i < 40; ++i) {
    manager.run("run-" + std::to_string(i));
    manager.step();
  }
  CHECK(manager.ids().size() == 10);
  CHECK(manager.ids().front() == "run-39");
  CHECK(folders(directory) == 10);
  manager.config = config_of(10, 3 * 4096 + 8192);
  CHECK(manager.step().expired > 0);
  CHECK(manager.ids().size() < 5);
  CHECK(manager.ids().front() == "run-39");
  CHECK(folders(directory) == manager.ids().size());
}

TEST_CASE("records that are too old go", "[records]") {
  const RecordDirectory directory;
  Running manager(directory, config_of());
  manager.run("run-1");  // accepted in 1970
  manager.config.max_age = std::chrono::hours(1);
  CHECK(manager.step().expired == 1);
  CHECK(manager.ids().empty());
}

TEST_CASE("runs that retention would remove anyway never get a directory", "[records]") {
  const RecordDirectory directory;
  Running manager(directory, config_of(10));
  for (int i = 100; i < 200; ++i) manager.run("run-" + std::to_string(i));
  const auto progress = manager.step();
  CHECK(progress.expired == 90);
  CHECK(manager.ids().size() == 10);
  CHECK(manager.ids().front() == "run-199");
}

TEST_CASE("a directory that a killed manager had just made goes with the run that is too far behind", "[records]") {
  const RecordDirectory directory;
  {
    Running killed(directory, config_of(5));
    for (int i = 100; i < 120; ++i) killed.run("run-" + std::to_string(i));
  }
  std::filesystem::create_directories(directory.path() + "/records/runs/run-100");
  Running next(directory, config_of(5));
  next.step();
  CHECK(next.ids().size() == 5);
  CHECK(folders(directory) == 5);
}

TEST_CASE("a step ends when its time is over, and what is asked for is found all the same", "[records]") {
  const RecordDirectory directory;
  Running manager(directory, config_of(5000));
  for (int i = 1000; i < 3000; ++i) manager.run("run-" + std::to_string(i));
  const auto progress = manager.step(milliseconds(1));
  CHECK(progress.is_behind);
  CHECK(progress.read_bytes < manager.writer.appended_bytes());
  CHECK(manager.show("run-2999")["verdict"] == "ok");
  CHECK(manager.store->output(0, "run-2998", 1, 0).value().data.value == "1\n");
  while (manager.step().is_behind) continue;
  CHECK(folders(directory) == 2000);
  CHECK(manager.show("run-2999")["verdict"] == "ok");
  CHECK(manager.step().expired == 0);
}

TEST_CASE("a run of another user does not exist", "[records]") {
  const RecordDirectory directory;
  Running manager(directory, config_of());
  manager.run("run-1");
  CHECK(manager.store->show(1000, "run-1"));
  CHECK(manager.store->show(1001, "run-1").error().code == Errc::kNotFound);
  CHECK(manager.store->output(1001, "run-1", 1, 0).error().code == Errc::kNotFound);
  CHECK(manager.ids(1001).empty());
  CHECK(manager.ids(1000).size() == 1);
  CHECK(manager.store->show(0, "../../etc/passwd").error().code == Errc::kNotFound);
}

TEST_CASE("two managers do not write to one directory", "[records]") {
  const RecordDirectory directory;
  const Running first(directory, config_of());
  CHECK(RecordStore::open(directory.path() + "/records", config_of()).error().code == Errc::kConflict);
}

}  // namespace capsule
