// The store: whose a checkpoint is, that it appears whole, quotas, and what is left after a kill or a full disk.
#include "manager/storage/checkpoint_store.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>

#include "manager/storage/checkpoint_import.h"
#include "tests/unit/manager/temp_tree.h"
#include "tests/unit/storage/checkpoint_files.h"

namespace capsule {
namespace {

constexpr CheckpointQuota kWide{100, 1 << 30, 1 << 30};
constexpr uid_t kMe = 1000, kOther = 1001;

std::unique_ptr<CheckpointStore> open_store(const TempTree& tree, CheckpointQuota quota = kWide) {
  auto store = CheckpointStore::open(tree.path("checkpoints"), quota);
  REQUIRE(store);
  return std::move(*store);
}

std::vector<std::string> names(const CheckpointStore& store, uid_t uid = kMe) {
  const auto entries = store.list(uid);
  REQUIRE(entries);
  std::vector<std::string> found;
  for (const CheckpointEntry& entry : *entries) found.push_back(entry.name);
  return found;
}

size_t files_in(const std::filesystem::path& directory) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
}

}  // namespace

TEST_CASE("names of checkpoints have a strict grammar", "[storage]") {
  for (const char* name : {"a", "before-train", "v1.2_x", "0"}) CHECK(check_checkpoint_name(name));
  CHECK(check_checkpoint_name(std::string(64, 'a')));
  for (const char* name : {"", ".", "..", ".part-1", "a/b", "../a", "-a", "a b", "a\n", "\xC3\xA9"}) {
    CHECK_FALSE(check_checkpoint_name(name));
  }
  CHECK_FALSE(check_checkpoint_name(std::string(65, 'a')));
  CHECK_FALSE(check_checkpoint_name(std::string_view("a\0b", 3)));
}

TEST_CASE("a checkpoint is kept, listed, shown and removed", "[storage]") {
  const TempTree tree;
  auto store = open_store(tree);
  CHECK(names(*store).empty());
  const auto saved = save_in(*store, kMe, "b", "two");
  REQUIRE(saved);
  CHECK((saved->name == "b" && saved->problem.empty() && saved->info.metadata == "{}" && saved->written_ms > 0));
  REQUIRE(save_in(*store, kMe, "a", "one"));
  CHECK(names(*store) == std::vector<std::string>{"a", "b"});
  CHECK(payload_in(*store, kMe, "b") == "two");
  REQUIRE(store->remove(kMe, "b"));
  CHECK(store->show(kMe, "b").error().code == Errc::kNotFound);
  CHECK(store->remove(kMe, "b").error().code == Errc::kNotFound);
  store = open_store(tree);  // as after a restart
  CHECK(payload_in(*store, kMe, "a") == "one");
}

TEST_CASE("another user sees nothing", "[storage]") {
  const TempTree tree;
  auto store = open_store(tree);
  REQUIRE(save_in(*store, kMe, "a", "mine"));
  CHECK(names(*store, kOther).empty());
  CHECK(store->show(kOther, "a").error().code == Errc::kNotFound);
  CHECK(store->open_checkpoint(kOther, "a").error().code == Errc::kNotFound);
  CHECK(store->remove(kOther, "a").error().code == Errc::kNotFound);
  REQUIRE(save_in(*store, kOther, "a", "theirs"));
  CHECK(payload_in(*store, kMe, "a") == "mine");
  CHECK((std::filesystem::status(tree.path("checkpoints")).permissions() & std::filesystem::perms::all) ==
        std::filesystem::perms::owner_all);
}

TEST_CASE("a name that is taken is refused or replaced, as asked", "[storage]") {
  const TempTree tree;
  auto store = open_store(tree);
  REQUIRE(save_in(*store, kMe, "a", "one"));
  CHECK(save_in(*store, kMe, "a", "two").error().code == Errc::kConflict);
  CHECK(payload_in(*store, kMe, "a") == "one");
  REQUIRE(save_in(*store, kMe, "a", "two", IfThere::kReplace));
  CHECK(payload_in(*store, kMe, "a") == "two");
  SECTION("also when somebody else took it meanwhile") {
    auto begun = store->begin(kMe, "b", IfThere::kRefuse);
    REQUIRE(begun);
    REQUIRE(save_in(*store, kMe, "b", "first"));
    REQUIRE(write_checkpoint(begun->file.get(), "second", "{}"));
    CHECK(store->commit(std::move(begun->draft)).error().code == Errc::kConflict);
    CHECK(payload_in(*store, kMe, "b") == "first");
  }
  CHECK(files_in(tree.path("checkpoints/1000")) == names(*store).size());
}

TEST_CASE("a checkpoint that was given up was never there", "[storage]") {
  const TempTree tree;
  auto store = open_store(tree);
  {
    auto begun = store->begin(kMe, "a", IfThere::kRefuse);
    REQUIRE(begun);
    CHECK(names(*store).empty());
    CHECK(files_in(tree.path("checkpoints/1000")) == 1);
  }
  CHECK(files_in(tree.path("checkpoints/1000")) == 0);
  auto begun = store->begin(kMe, "a", IfThere::kRefuse);
  REQUIRE(begun);
  CHECK_FALSE(store->commit(std::move(begun->draft)));  // nothing was written
  CHECK(files_in(tree.path("checkpoints/1000")) == 0);
}

TEST_CASE("quotas hold, and say what to do", "[storage]") {
  const TempTree tree;
  const auto refused = [](const auto& result) {
    return !result && result.error().code == Errc::kTooLarge &&
           result.error().message.find("remove") != std::string::npos;
  };
  SECTION("by count") {
    auto store = open_store(tree, {2, 1 << 30, 1 << 30});
    REQUIRE(save_in(*store, kMe, "a", "1"));
    REQUIRE(save_in(*store, kMe, "b", "1"));
    CHECK(refused(save_in(*store, kMe, "c", "1")));
    CHECK(save_in(*store, kMe, "b", "2", IfThere::kReplace));
    CHECK(save_in(*store, kOther, "c", "1"));
    REQUIRE(store->remove(kMe, "a"));
    CHECK(save_in(*store, kMe, "c", "1"));
  }
  SECTION("by bytes") {
    auto store = open_store(tree, {100, 100000, 1 << 30});
    REQUIRE(save_in(*store, kMe, "a", random_bytes(60000)));
    CHECK(refused(save_in(*store, kMe, "b", random_bytes(60000))));
    CHECK(names(*store) == std::vector<std::string>{"a"});
    CHECK(save_in(*store, kMe, "a", random_bytes(80000), IfThere::kReplace));
    auto begun = store->begin(kMe, "b", IfThere::kRefuse);
    REQUIRE(begun);
    REQUIRE(write_checkpoint(begun->file.get(), random_bytes(15000), "{}", begun->bytes_max));
    REQUIRE(save_in(*store, kMe, "c", random_bytes(15000)));  // the room that was there for b
    CHECK(refused(store->commit(std::move(begun->draft))));
  }
  SECTION("by bytes before compression") {
    auto store = open_store(tree, {100, 1 << 30, 1 << 20});
    const auto saved = save_in(*store, kMe, "a", std::string(2 << 20, 'x'));
    REQUIRE_FALSE(saved);
    CHECK(saved.error().message.find("checkpoints.max_bytes") != std::string::npos);
  }
}

TEST_CASE("a damaged checkpoint is listed with its problem, can be removed and costs no other", "[storage]") {
  const TempTree tree;
  auto store = open_store(tree);
  REQUIRE(save_in(*store, kMe, "a", "one"));
  REQUIRE(save_in(*store, kMe, "b", "two"));
  TempTree::write(tree.path("checkpoints/1000/a.ckpt"), "nonsense");
  TempTree::write(tree.path("checkpoints/1000/README"), "not a checkpoint");
  const auto entries = store->list(kMe);
  REQUIRE(entries);
  REQUIRE(entries->size() == 2);
  CHECK((entries->at(0).name == "a" && !entries->at(0).problem.empty() && entries->at(1).problem.empty()));
  CHECK(store->open_checkpoint(kMe, "a").error().code == Errc::kInvalid);
  CHECK(store->remove(kMe, "a"));
  CHECK(names(*store) == std::vector<std::string>{"b"});
}

TEST_CASE("an import appears only after all of it was checked", "[storage]") {
  const TempTree tree;
  auto store = open_store(tree);
  REQUIRE(save_in(*store, kMe, "a", random_bytes(20 << 20)));
  const std::string exported = TempTree::read(tree.path("checkpoints/1000/a.ckpt"));
  const auto import = [&](const std::string& bytes, const char* name) -> Result<std::optional<CheckpointEntry>> {
    auto begun = CheckpointImport::begin(*store, kOther, name, IfThere::kRefuse);
    REQUIRE(begun);
    for (size_t at = 0; at < bytes.size(); at += 1 << 20) {
      if (auto put = begun->append(bytes.substr(at, 1 << 20)); !put) return tl::unexpected<Error>(put.error());
    }
    size_t calls = 0;
    while (true) {
      auto finished = begun->finish();
      CHECK(++calls < 10);
      if (!finished || *finished) return finished;
      CHECK(names(*store, kOther).size() < 2);
    }
  };
  const auto entry = import(exported, "x");
  REQUIRE(entry);
  CHECK(payload_in(*store, kOther, (*entry)->name) == payload_in(*store, kMe, "a"));
  std::string damaged = exported;
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  CHECK(import(damaged, "y").error().code == Errc::kInvalid);
  CHECK(import(exported.substr(0, exported.size() - 1), "y").error().code == Errc::kInvalid);
  CHECK(import("", "y").error().code == Errc::kInvalid);
  CHECK(names(*store, kOther) == std::vector<std::string>{"x"});
  CHECK(files_in(tree.path("checkpoints/1001")) == 1);
}

TEST_CASE("a writer that is killed at any moment leaves the checkpoint before whole", "[storage]") {
  const TempTree tree;
  const std::string old = random_bytes(3 << 20, 1), fresh = random_bytes(3 << 20, 2);
  auto store = open_store(tree);
  REQUIRE(save_in(*store, kMe, "a", old));
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 engine(seed);
  size_t leftovers = 0;
  for (int i = 0; i < 100; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      for (int turn = 0;; ++turn) (void)save_in(*store, kMe, "a", turn % 2 == 0 ? fresh : old, IfThere::kReplace);
    }
    usleep(static_cast<useconds_t>(engine() % 20000));
    REQUIRE(kill(child, SIGKILL) == 0);
    REQUIRE(waitpid(child, nullptr, 0) == child);
    leftovers += files_in(tree.path("checkpoints/1000")) - 1;
    store = open_store(tree);
    REQUIRE(files_in(tree.path("checkpoints/1000")) == 1);
    const std::string found = payload_in(*store, kMe, "a");
    REQUIRE((found == old || found == fresh));
  }
  CHECK(leftovers > 0);  // else no kill came in the middle
}

TEST_CASE("a full disk is an error, and the checkpoint before stays", "[storage]") {
  const TempTree tree;
  auto store = open_store(tree);
  REQUIRE(save_in(*store, kMe, "a", "one"));
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 20, 1 << 20};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
    const auto saved = save_in(*store, kMe, "a", random_bytes(4 << 20), IfThere::kReplace);
    _exit(!saved && saved.error().code == Errc::kTooLarge && saved.error().message.find("disk") != std::string::npos
              ? 0
              : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(payload_in(*store, kMe, "a") == "one");
  CHECK(files_in(tree.path("checkpoints/1000")) == 1);
}

}  // namespace capsule
