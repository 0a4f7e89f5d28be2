// Between a pipe and the disk: a process that saves, one that restores, and what either may do wrong.
#include "manager/storage/checkpoint_transfer.h"

#include <boost/asio/io_context.hpp>
#include <csignal>
#include <future>
#include <optional>
#include <thread>

#include "base/posix_io.h"
#include "tests/unit/manager/temp_tree.h"
#include "tests/unit/storage/checkpoint_files.h"

namespace capsule {
namespace {

[[maybe_unused]] const auto kIgnored = signal(SIGPIPE, SIG_IGN);  // as the manager does, for every test

constexpr uid_t kMe = 1000;

std::string frame(char kind, std::string_view content) {
  std::string bytes(1, kind);
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>((uint64_t{content.size()} >> shift) & 0xFF);
  return bytes + std::string(content);
}

struct Fixture {
  Fixture() {
    auto opened = CheckpointStore::open(tree.path("checkpoints"), {100, 1 << 30, 1 << 30});
    REQUIRE(opened);
    store = std::move(*opened);
  }

  CheckpointSave::Outcome save(const std::string& name, const std::string& stream, UniqueFd* kept_end = nullptr) {
    auto pipe = make_pipe();
    REQUIRE(pipe);
    std::optional<CheckpointSave::Outcome> outcome;
    CheckpointSave save(
        loop, storage, store, {kMe, name, IfThere::kRefuse, kPython}, std::move(pipe->first),
        [](const std::string& metadata) { return "{\"namespace\":" + metadata + "}"; },
        [&](CheckpointSave::Outcome done) {
          outcome = std::move(done);
          loop.stop();
        });
    std::thread writer([&] {
      (void)write_all(pipe->second.get(), stream);
      if (kept_end == nullptr) pipe->second.reset();
    });
    run_loop();
    writer.join();
    if (kept_end != nullptr) *kept_end = std::move(pipe->second);
    REQUIRE(outcome);
    return std::move(*outcome);
  }

  Result<CheckpointInfo> load(const std::string& name, std::string* payload) {
    auto pipe = make_pipe();
    auto opened = store->open_checkpoint(kMe, name);
    REQUIRE((pipe && opened));
    std::optional<Result<CheckpointInfo>> result;
    std::thread reader;
    if (payload == nullptr) {
      pipe->first.reset();
    } else {
      reader = std::thread([fd = pipe->first.get(), payload] {
        char buffer[4096];
        for (ssize_t got = 0; (got = read(fd, buffer, sizeof buffer)) > 0;) payload->append(buffer, got);
      });
    }
    const CheckpointLoad load(loop, storage, std::move(*opened), std::move(pipe->second), [&](auto done) {
      result = std::move(done);
      loop.stop();
    });
    run_loop();
    if (reader.joinable()) reader.join();
    return std::move(*result);
  }

  void run_loop() {  // again and again
    loop.context().restart();
    loop.run();
  }

  size_t files() const {
    const auto directory = tree.path("checkpoints/1000");
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
  }

  TempTree tree;
  Loop loop;
  SharedStore store;
  StorageThread storage{loop};
};

}  // namespace

TEST_CASE("what a process saves is what another restores", "[storage]") {
  Fixture fixture;
  const std::string payload = random_bytes(3 << 20) + std::string(3 << 20, 'z');
  const auto outcome = fixture.save("a", frame('N', "x") + frame('D', payload) + frame('M', "{\"names\":1}"));
  REQUIRE(outcome.entry);
  CHECK(outcome.entry->info.metadata == "{\"namespace\":{\"names\":1}}");
  std::string restored;
  const auto loaded = fixture.load("a", &restored);
  REQUIRE(loaded);
  CHECK(loaded->header.python == kPython);
  CHECK(restored == payload);
}

TEST_CASE("a checkpoint that is refused takes nothing of what its process has sent already", "[storage]") {
  Fixture fixture;
  REQUIRE(fixture.save("a", frame('D', "one") + frame('M', "{}")).entry);
  std::promise<void> sent;  // the disk is slow: pieces wait behind the refusal
  REQUIRE(fixture.storage.submit([ready = sent.get_future().share()]() -> Status { return ready.wait(), Status{}; },
                                 [](const Status&) {}));
  auto pipe = make_pipe();
  REQUIRE(pipe);
  std::thread writer([&] {
    (void)write_all(pipe->second.get(), frame('D', random_bytes(128 << 10)));  // more than a pipe holds: some was read
    sent.set_value();
  });
  std::optional<CheckpointSave::Outcome> outcome;
  CheckpointSave save(
      fixture.loop, fixture.storage, fixture.store, {kMe, "a", IfThere::kRefuse, kPython}, std::move(pipe->first),
      [](const std::string& metadata) { return metadata; },
      [&](CheckpointSave::Outcome done) {
        outcome = std::move(done);
        fixture.loop.stop();
      });
  fixture.run_loop();
  writer.join();
  REQUIRE(outcome);
  CHECK(outcome->entry.error().code == Errc::kConflict);
  CHECK(fixture.save("b", frame('D', "two") + frame('M', "{}")).entry);  // after the pieces
  CHECK(fixture.files() == 2);
}

TEST_CASE("a process that dies while it saves leaves nothing, and the name it died of", "[storage]") {
  Fixture fixture;
  const auto outcome = fixture.save("a", frame('N', "fine") + frame('D', "1234") + frame('N', "bad") + "D\0\0");
  REQUIRE_FALSE(outcome.entry);
  CHECK(outcome.entry.error().code == Errc::kClosed);
  CHECK(outcome.name_at_work == "bad");
  CHECK(fixture.files() == 0);
}

TEST_CASE("whoever else holds the pipe does not hold up a payload that is whole", "[storage]") {
  Fixture fixture;
  UniqueFd held;
  CHECK(fixture.save("a", frame('D', "payload") + frame('M', "{}"), &held).entry);
  CHECK(payload_in(*fixture.store, kMe, "a") == "payload");
}

TEST_CASE("nonsense from a process, and a name that is taken, are refused", "[storage]") {
  Fixture fixture;
  CHECK(fixture.save("a", "this is no stream of frames").entry.error().code == Errc::kInvalid);
  REQUIRE(fixture.save("a", frame('M', "{}")).entry);
  CHECK(fixture.save("a", frame('M', "{}")).entry.error().code == Errc::kConflict);
  CHECK(fixture.files() == 1);
}

TEST_CASE("a damaged checkpoint is not restored to its end", "[storage]") {
  Fixture fixture;
  REQUIRE(fixture.save("a", frame('D', random_bytes(1 << 20)) + frame('M', "{}")).entry);
  const std::string path = fixture.tree.path("checkpoints/1000/a.ckpt");
  std::string bytes = TempTree::read(path);
  bytes[500000] = static_cast<char>(bytes[500000] ^ 4);
  TempTree::write(path, bytes);
  std::string restored;
  const auto loaded = fixture.load("a", &restored);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == Errc::kInvalid);
  CHECK(restored.size() < 1 << 20);
}

TEST_CASE("a worker that is gone ends a restore", "[storage]") {
  Fixture fixture;
  REQUIRE(fixture.save("a", frame('D', random_bytes(1 << 20)) + frame('M', "{}")).entry);
  CHECK(fixture.load("a", nullptr).error().code == Errc::kClosed);
}

TEST_CASE("a transfer that is given up leaves nothing and calls nobody", "[storage]") {
  Fixture fixture;
  auto pipe = make_pipe();
  REQUIRE(pipe);
  auto save = std::make_unique<CheckpointSave>(
      fixture.loop, fixture.storage, fixture.store, CheckpointTarget{kMe, "a", IfThere::kRefuse, kPython},
      std::move(pipe->first), [](const std::string& metadata) { return metadata; },
      [](const CheckpointSave::Outcome&) { FAIL("it was given up"); });
  REQUIRE(write_all(pipe->second.get(), frame('D', std::string(30000, 'x'))));
  Timer timer(fixture.loop);
  std::function<void()> look = [&] {
    if (save && save->bytes_read() > 0) save.reset();
    if (!save && fixture.storage.queued() == 0) {
      CHECK(fixture.storage.submit([] { return 0; }, [&](int) { fixture.loop.post([&] { fixture.loop.stop(); }); }));
    } else {
      timer.after(milliseconds(1), look);
    }
  };
  fixture.loop.post(look);
  fixture.run_loop();
  CHECK(fixture.files() == 0);
}

}  // namespace capsule
