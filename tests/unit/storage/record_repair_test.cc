// What a store makes again by itself: its index, and the place of its directories.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "manager/storage/record_store.h"
#include "manager/storage/yaml_text.h"
#include "tests/unit/storage/record_files.h"

namespace capsule {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
constexpr seconds kPlenty{60};
constexpr const char* kFirst = "01890a5d-ac96-774b-bcce-b302099a8057";
constexpr const char* kSecond = "01890a5d-ac97-774b-bcce-b302099a8057";
constexpr const char* kThird = "01890a5d-ac98-774b-bcce-b302099a8057";
constexpr const char* kMore = "01890a5d-ac99-774b-bcce-b302099a8057";
constexpr int64_t kFirstMs = 0x01890a5dac96;

struct Kept {
  RecordDirectory directory;
  RecordsConfig config{100, std::chrono::hours(24 * 365 * 100), 1u << 30};

  std::string path(const std::string& name) const { return directory.path() + "/records/" + name; }
  std::shared_ptr<RecordStore> open() const {
    auto store = RecordStore::open(path(""), config);
    REQUIRE(store);
    return *store;
  }
  // What a manager does with these runs.
  void run(RecordStore& store, const std::vector<std::string>& ids) {
    RecordLogWriter writer(store.log_directory(), store.next_segment());
    for (const std::string& id : ids) {
      REQUIRE(writer.append(accepted_frames(id, 1000, kFirstMs) + output_frame(id, 0, "1\n") + finished_frames(id)));
    }
    (void)store.step(kPlenty, ids.size(), config);
  }
  // As if they were so old that all of them has become directories.
  void forget_log() const {
    for (const auto& each : fs::directory_iterator(path("log"))) fs::remove(each.path());
  }
  static std::vector<std::string> ids(RecordStore& store) {
    std::vector<std::string> all;
    const Json document = Json::parse(store.list(0, "", 0).value());
    for (const Json& run : document["runs"]) all.push_back(run["run_id"]);
    return all;
  }
};

void write(const std::string& path, size_t offset, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file << bytes;
}

}  // namespace

TEST_CASE("an index that is damaged is set aside and made again from the directories", "[records]") {
  const std::string noise(2000, 'x');
  for (const size_t offset : {size_t{0}, size_t{100}, size_t{4096}, size_t{8192}}) {
    INFO(offset);
    Kept kept;
    const std::string index = kept.path("index.sqlite");
    kept.run(*kept.open(), {kFirst, kSecond});
    const std::string before = kept.open()->show(0, kFirst).value();
    kept.forget_log();
    write(index, offset, noise);
    auto store = kept.open();
    CHECK_THAT(store->take_finding(), Catch::Contains("set aside") && Catch::Contains("2 runs"));
    CHECK(fs::exists(kept.path("index.damaged.sqlite")));
    CHECK(Kept::ids(*store) == std::vector<std::string>{kSecond, kFirst});
    CHECK(store->show(0, kFirst).value() == before);
    CHECK_FALSE(store->show(2000, kFirst));  // it is still its owner's
    kept.run(*store, {kThird});
    CHECK(Kept::ids(*store).size() == 3);
    store.reset();
    CHECK(kept.open()->take_finding().empty());
  }
}

TEST_CASE("an index that is gone is made again from directories and log", "[records]") {
  Kept kept;
  kept.run(*kept.open(), {kFirst, kSecond});
  kept.open();
  for (const char* name : {"index.sqlite", "index.sqlite-wal", "index.sqlite-shm"}) fs::remove(kept.path(name));
  const auto store = kept.open();
  CHECK_THAT(store->take_finding(), Catch::Contains("was missing or empty"));
  (void)store->step(kPlenty, 0, kept.config);
  CHECK(Kept::ids(*store) == std::vector<std::string>{kSecond, kFirst});
}

TEST_CASE("something else in the place of the index is set aside, too", "[records]") {
  Kept kept;
  kept.run(*kept.open(), {kFirst});
  for (const char* name : {"index.sqlite", "index.sqlite-wal", "index.sqlite-shm"}) fs::remove(kept.path(name));
  SECTION("a FIFO") { REQUIRE(mkfifo(kept.path("index.sqlite").c_str(), 0600) == 0); }
  SECTION("a directory") { fs::create_directory(kept.path("index.sqlite")); }
  SECTION("another database") {
    REQUIRE(RecordIndex::open(kept.path("index.sqlite")));
    REQUIRE(
        std::system(("/usr/bin/python3 -c \"import sqlite3; d = sqlite3.connect('" + kept.path("index.sqlite") +
                     "'); d.execute('DROP TABLE runs'); d.execute('CREATE TABLE runs(run_id TEXT, final INTEGER)'); "
                     "d.commit()\"")
                        .c_str()) == 0);
  }
  const auto store = kept.open();
  CHECK_THAT(store->take_finding(), Catch::Contains("set aside"));
  CHECK(Kept::ids(*store) == std::vector<std::string>{kFirst});
}

TEST_CASE("what is set aside takes the place of what was, whatever that is", "[records]") {
  Kept kept;
  kept.run(*kept.open(), {kFirst});
  for (const bool is_directory : {true, false, true}) {
    for (const char* ending : {"", "-wal", "-shm"}) fs::remove(kept.path("index.sqlite") + ending);
    is_directory ? void(fs::create_directories(kept.path("index.sqlite/within")))
                 : void(std::ofstream(kept.path("index.sqlite")) << std::string(8192, 'x'));
    const auto store = kept.open();
    CHECK_THAT(store->take_finding(), Catch::Contains("set aside"));
    CHECK(Kept::ids(*store) == std::vector<std::string>{kFirst});
    CHECK(fs::is_directory(kept.path("index.damaged.sqlite")) == is_directory);
  }
}

TEST_CASE("directories of runs that are taken away under a store are made again", "[records]") {
  Kept kept;
  const auto store = kept.open();
  kept.run(*store, {kFirst});
  SECTION("removed") { fs::remove_all(kept.path("runs")); }
  SECTION("moved") { fs::rename(kept.path("runs"), kept.path("elsewhere")); }
  RecordLogWriter writer(store->log_directory(), store->next_segment() + 1);
  REQUIRE(writer.append(accepted_frames(kSecond) + output_frame(kSecond, 0, "1\n") + finished_frames(kSecond)));
  const auto progress = store->step(kPlenty, 2, kept.config);
  CHECK(progress.problem.empty());
  CHECK(fs::exists(kept.path("runs/") + kSecond + "/stdout.txt"));
  CHECK(Kept::ids(*store).front() == kSecond);
}

TEST_CASE("an index that is taken away under a store is written again, with all that is in it", "[records]") {
  Kept kept;
  const auto store = kept.open();
  kept.run(*store, {kFirst, kSecond});
  fs::remove_all(kept.path("runs"));  // of these runs only the index tells now
  SECTION("removed") { fs::remove(kept.path("index.sqlite")); }
  SECTION("with all that belongs to it") {
    for (const char* ending : {"", "-wal", "-shm"}) fs::remove(kept.path("index.sqlite") + ending);
  }
  SECTION("another file in its place") {
    fs::remove(kept.path("index.sqlite"));
    std::ofstream(kept.path("index.sqlite")) << "something else";
  }
  const auto progress = store->step(kPlenty, 2, kept.config);
  CHECK(progress.problem.empty());
  CHECK_THAT(progress.finding, Catch::Contains("was taken away"));
  CHECK(store->step(kPlenty, 2, kept.config).finding.empty());
  kept.forget_log();
  const auto copy = RecordIndex::open(kept.path("index.sqlite"));
  REQUIRE(copy);
  CHECK((*copy)->total()->runs == 2);
}

TEST_CASE("while directories of runs cannot be made nothing is given up", "[records]") {
  Kept kept;
  const auto store = kept.open();
  kept.run(*store, {kFirst});
  fs::remove_all(kept.path("runs"));
  std::ofstream(kept.path("runs")) << "in the way";
  RecordLogWriter writer(store->log_directory(), store->next_segment() + 1);
  REQUIRE(writer.append(accepted_frames(kSecond) + finished_frames(kSecond)));
  for (unsigned i = 0; i < 2 * RecordStore::kTriesOfTrouble; ++i) {
    CHECK_FALSE(store->step(kPlenty, 2, kept.config).problem.empty());
  }
  fs::remove(kept.path("runs"));
  CHECK(store->step(kPlenty, 2, kept.config).problem.empty());
  CHECK(fs::exists(kept.path("runs/") + kSecond + "/run-info.yaml"));
}

TEST_CASE("records are for their owner, whatever the umask", "[records]") {
  const mode_t before = umask(0);
  Kept kept;
  fs::create_directory(kept.path(""));
  kept.run(*kept.open(), {kFirst});
  umask(before);
  const auto mode_of = [&kept](const char* name) {
    struct stat facts {};
    REQUIRE(stat(kept.path(name).c_str(), &facts) == 0);
    return facts.st_mode & 07777;
  };
  CHECK(mode_of("") == 0700);
  CHECK(mode_of("index.sqlite") == 0600);
}

TEST_CASE("FIFOs in the place of a store's files keep nobody waiting", "[records]") {
  Kept kept;
  auto store = kept.open();
  kept.run(*store, {kFirst});
  const std::string folder = kept.path("runs/") + kFirst;
  for (const std::string& path : {kept.path("probe"), kept.path("log/000000000099.log"), folder + "/stdout.txt"}) {
    fs::remove(path);
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  }
  CHECK(store->sync());
  (void)store->output(0, kFirst, 1, 0);
  store.reset();
  CHECK(kept.open()->sync());
}

TEST_CASE("what is written as YAML is read back as it was", "[records]") {
  const nlohmann::ordered_json map = {
      {"v", 1},
      {"empty", nlohmann::ordered_json::object()},
      {"none", nlohmann::ordered_json::array()},
      {"text", "a: b\n- \"c\" # d \\ \xc3\xa4"},
      {"evidence", {{"rollback", {{"not_captured", {"x: y", "- z", ""}}}}, {"odd \"key\": ", nullptr}, {"s", 0.25}}},
      {"list", {1, nullptr, {{"a", 1}}, {1, 2}}}};
  CHECK(read_yaml_text(yaml_text(map)).value() == map);
  for (const char* text :
       {"a", "a: ", "a:\nb: 1\n", "a: {\n", "  a: 1\n", "a: 1\n    b: 2\n", "\"a: 1\n", "- 1\n", "a:\n - 1\n"}) {
    INFO(text);
    CHECK_FALSE(read_yaml_text(text));
  }
}

TEST_CASE("a log of runs that is damaged is told of and kept", "[records]") {
  Kept kept;
  uint64_t segment = 0;
  {
    const auto store = kept.open();
    RecordLogWriter writer(store->log_directory(), store->next_segment());
    for (const char* id : {kFirst, kSecond, kThird}) {
      REQUIRE(writer.append(accepted_frames(id, 1000, kFirstMs) + output_frame(id, 0, "1\n") + finished_frames(id)));
    }
    segment = writer.segment();
  }
  const std::string log = kept.path("log/" + segment_name(segment));
  const auto bytes = fs::file_size(log);
  SECTION("where a frame begins") { write(log, bytes / 3, std::string(20, '\xff')); }
  SECTION("within a frame") {  // its first byte says what it is
    write(log, bytes / 3 + limits::kFrameHeaderBytes, "\xc1");
  }
  SECTION("cut off within a frame") { fs::resize_file(log, bytes - 5); }
  const auto store = kept.open();
  auto progress = store->step(kPlenty, 0, kept.config);
  progress.finding += store->take_finding();
  // A next file makes sure that no more comes into that one.
  RecordLogWriter writer(store->log_directory(), store->next_segment());
  REQUIRE(writer.append(accepted_frames(kMore, 1000, kFirstMs) + finished_frames(kMore)));
  progress.finding += store->step(kPlenty, 1, kept.config).finding;
  CHECK_THAT(progress.finding, Catch::Contains(segment_name(segment) + " is damaged at byte"));
  CHECK(store->has_damaged_log());
  CHECK(fs::exists(kept.path("log/" + damaged_name(segment))));
  CHECK_FALSE(fs::exists(log));
  CHECK(Kept::ids(*store).front() == kMore);
}

TEST_CASE("only the latest damaged logs are kept", "[records]") {
  Kept kept;
  for (size_t i = 0; i < RecordStore::kDamagedKept + 2; ++i) {
    {
      const auto store = kept.open();
      kept.run(*store, {kFirst});
      write(kept.path("log/" + segment_name(store->next_segment())), 0, std::string(20, '\xff'));
    }
    const auto store = kept.open();
    kept.run(*store, {kSecond});
  }
  size_t damaged = 0;
  for (const auto& each : fs::directory_iterator(kept.path("log"))) damaged += each.path().extension() == ".damaged";
  CHECK(damaged == RecordStore::kDamagedKept);
}

}  // namespace capsule
