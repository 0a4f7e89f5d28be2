// From the log to directories and the index: once, whatever is cut off where, and within what retention allows.
#include "manager/storage/record_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/posix_io.h"
#include "manager/storage/run_folder.h"
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

// What takes a run's name cannot be made its directory.
void put_in_the_way(const RecordDirectory& directory, const std::string& id) {
  const std::string path = directory.path() + "/records/runs/" + id;
  REQUIRE(UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
}

TEST_CASE("what could not be written is written when it can be", "[records]") {
  const RecordDirectory directory;
  Running manager(directory, config_of());
  manager.run("run-1");
  put_in_the_way(directory, "run-2");
  manager.run("run-2");
  manager.run("run-3");
  const auto failed = manager.step();
  CHECK_FALSE(failed.problem.empty());
  CHECK(failed.is_behind);
  CHECK(manager.ids().empty());  // nothing half
  std::filesystem::remove(directory.path() + "/records/runs/run-2");
  const auto again = manager.step();
  CHECK(again.problem.empty());
  CHECK(again.runs == 3);
  CHECK(manager.ids().size() == 3);
  CHECK(text_of(directory, "run-2", "stdout.txt") == "1\n");
  CHECK(text_of(directory, "run-1", "stdout.txt") == "1\n");
  manager.run("run-4");
  CHECK(manager.step().runs == 4);
}

TEST_CASE("what can never be written does not hold up the rest", "[records]") {
  const RecordDirectory directory;
  Running manager(directory, config_of());
  put_in_the_way(directory, "run-1");
  manager.run("run-1");
  manager.run("run-2");
  for (unsigned i = 0; i < RecordStore::kTriesOfTrouble; ++i) CHECK(manager.step().is_behind);
  CHECK_THAT(manager.step().problem, Catch::Contains("given up"));
  CHECK(manager.step().problem.empty());
  CHECK(manager.ids() == std::vector<std::string>{"run-2"});
}

TEST_CASE("a log that is read again counts what was read once", "[records]") {
  const RecordDirectory directory;
  Running manager(directory, config_of());
  manager.run("run-1");
  const uint64_t read_bytes = manager.step().read_bytes;
  put_in_the_way(directory, "run-2");
  manager.append(accepted_frames("run-2"));
  manager.step();
  std::filesystem::remove(directory.path() + "/records/runs/run-2");
  manager.append(output_frame("run-2", 0, "1\n") + finished_frames("run-2", Verdict::kOk));
  ++manager.finals;
  const auto again = manager.step();
  CHECK(again.problem.empty());
  CHECK(again.read_bytes == 2 * read_bytes);
  CHECK(again.runs == 2);
}

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
  for (const uint64_t beyond : {uint64_t{2}, uint64_t{1} << 63, ~uint64_t{0}}) {
    CHECK(manager.store->output(1000, "run-1", 1, beyond).value().data.value.empty());
  }
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

TEST_CASE("runs that a killed manager left are told one by one, and have what is known of their trace", "[records]") {
  const RecordDirectory directory;
  NoteWriter started;
  started.text("run_id", "run-1").number("started_ms", 1700).number("queue_us", 700000);
  {
    Running killed(directory, config_of());
    killed.run("run-0");
    killed.append(accepted_frames("run-1", 1000, 1000) + accepted_frames("run-2", 7, 2000));
    killed.step();
    killed.append(encode_frame(Ack{static_cast<uint64_t>(NoteKind::kStarted), started.take()}));
  }
  Running next(directory, config_of());
  const std::vector<AbortedRun> told = next.store->take_aborted_runs();
  REQUIRE(told.size() == 2);
  CHECK((told[0].run_id == "run-1" && told[0].uid == 1000 && told[0].profile == "base"));
  CHECK((told[1].run_id == "run-2" && told[1].uid == 7));
  next.step();
  const std::string trace = text_of(directory, "run-1", "trace.jsonl");
  CHECK(trace.find(R"({"event":"submitted","at_us":0,"wall_us":1000000,"run_id":"run-1")") == 0);
  CHECK(trace.find(R"({"event":"started","at_us":700000,"wall_us":1700000)") != std::string::npos);
  CHECK(trace.find("finished") == std::string::npos);
  CHECK(text_of(directory, "run-2", "trace.jsonl").find("started") == std::string::npos);
  const Json info = next.show("run-1");
  CHECK(info["queue_s"] == 0.7);
  CHECK(info["started_at"] == "1970-01-01T00:00:01.700Z");
  for (const char* unknown : {"execution_s", "total_s", "finished_at", "threads"}) CHECK(info[unknown].is_null());
  CHECK(info["memory"]["end_bytes"].is_null());
  CHECK(info["layers"] == Json{{"seccomp", "on"}, {"root", "off"}});
  const Json shown = Json::parse(next.store->trace(0, "run-1").value());
  CHECK(shown["verdict"] == "aborted");
  CHECK(shown["total_us"].is_null());  // that is when it started
  CHECK(next.store->take_aborted_runs().empty());
}

TEST_CASE("what a run printed before its manager was killed counts as its output", "[records]") {
  const RecordDirectory directory;
  {
    Running killed(directory, config_of());
    killed.append(accepted_frames("run-1", 1000, 1000));
    Output output;
    output.run_id = "run-1";
    output.stream = 2;
    output.data.value = "twelve bytes";
    killed.append(encode_frame(std::move(output)));
  }
  Running next(directory, config_of());
  next.step();
  CHECK(text_of(directory, "run-1", "stderr.txt") == "twelve bytes");
  const Json info = next.show("run-1");
  CHECK(info["verdict"] == "aborted");
  CHECK((info["output"]["stdout_bytes"] == 0 && info["output"]["stderr_bytes"] == 12));
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
    const std::string filler = output_frame("nobody", 0, std::string(200'000, 'x'));
    for (size_t bytes = 0; bytes <= kLogSegmentBytes; bytes += filler.size()) manager.append(filler);
    manager.append(accepted_frames("other"));
    manager.step();
    CHECK(log_files(directory) == 1);
  }
  Running next(directory, config_of());
  CHECK(next.store->aborted() == 2);
  next.step();
  CHECK(next.show("long")["layers"]["seccomp"] == "on");  // from the index: the note is gone with its file
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

TEST_CASE("records are made of what those before them were made of, and show nothing of them", "[records]") {
  const RecordDirectory directory;
  Running manager(directory, config_of(3));
  const auto inode_of = [&](const std::string& run_id, const char* name) {
    struct stat facts {};
    const std::string path = directory.path() + "/records/runs/" + run_id + "/" + name;
    return stat(path.c_str(), &facts) == 0 ? facts.st_ino : 0;
  };
  std::set<ino_t> files, folders_used;
  for (int i = 0; i < 50; ++i) {
    const std::string id = "run-" + std::to_string(100 + i);
    const std::string said = i % 2 == 0 ? std::string(5000, 'x') : "short\n";
    manager.append(accepted_frames(id) + output_frame(id, 0, said) + finished_frames(id));
    ++manager.finals;
    manager.step();
    CHECK(text_of(directory, id, "stdout.txt") == said);
    CHECK(text_of(directory, id, "code.py") == "print(1)\n");
    for (const char* name : {"stdout.txt", "code.py", "run-info.yaml", "trace.jsonl"}) files.insert(inode_of(id, name));
    folders_used.insert(inode_of(id, "."));
  }
  CHECK(folders(directory) == 3);
  CHECK(files.size() <= 4 * 5);  // of three that are kept, one that goes and one that comes
  CHECK(folders_used.size() <= 5);
  const std::string spare = directory.path() + "/records/spare";
  for (const auto& left : std::filesystem::directory_iterator(spare)) {
    CHECK((left.is_directory() || left.file_size() == 0));
  }
}

TEST_CASE("what is spare is bounded, and goes when a manager starts", "[records]") {
  const RecordDirectory directory;
  const auto fd_of = [&](const std::string& name) {
    const std::string path = directory.path() + "/" + name;
    std::filesystem::create_directories(path);
    return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  };
  const UniqueFd runs = fd_of("runs");
  const auto used = [&] {
    const auto all = std::filesystem::directory_iterator(directory.path() + "/spare");
    return std::distance(begin(all), end(all));
  };
  {
    SpareInodes spare(fd_of("spare"));
    constexpr size_t kRuns = SpareInodes::kFiles / 4 + 10;
    for (size_t i = 0; i < kRuns; ++i) {
      const std::string id = "run-" + std::to_string(i);
      auto folder = RunFolder::make(runs.get(), id, spare).value();
      for (const char* name : {"a", "b", "c", "d"}) REQUIRE(folder.write_at(name, 0, "content"));
    }
    for (size_t i = 0; i < kRuns; ++i) REQUIRE(spare.take(runs.get(), "run-" + std::to_string(i)));
    CHECK(spare.take(runs.get(), "run-0"));  // gone already
    CHECK(spare.files() == SpareInodes::kFiles);
    CHECK(spare.directories() == SpareInodes::kDirectories);
    CHECK(used() == SpareInodes::kFiles + SpareInodes::kDirectories);
    CHECK(std::filesystem::is_empty(directory.path() + "/runs"));
  }
  CHECK(SpareInodes(fd_of("spare")).files() == 0);
  CHECK(used() == 0);
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
