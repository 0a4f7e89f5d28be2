// The recorder on a real loop and a real disk: how often it syncs. The calls are counted, not what they cost.
#include "manager/storage/run_records.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <optional>

#include "manager/schedule/run.h"
#include "tests/unit/storage/record_files.h"

namespace {
std::atomic<uint64_t> syncs{0};  // of the whole process
}

// Before the C library's: all of this program calls this one.
extern "C" int fdatasync(int fd) {
  ++syncs;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

namespace capsule {
namespace {

constexpr seconds kPatience{20};

// Looks every few milliseconds until `look` says that it is over.
struct Watch {
  Watch(Loop& on, std::function<bool()> look_at) : loop(on), timer(on), look(std::move(look_at)) { again(); }
  void again() {
    timer.after(milliseconds(2), [this] { look() || now() >= until ? loop.stop() : again(); });
  }
  Loop& loop;
  Timer timer;
  TimePoint until = now() + kPatience;
  std::function<bool()> look;
};

void run_until(Loop& loop, std::function<bool()> look) {
  const Watch watch(loop, std::move(look));
  loop.run();
}

RunSettings plain_settings() {
  RunSettings settings;
  settings.recorded = RecordedContent::kAll;
  settings.recorded_output_bytes = 1u << 20;
  return settings;
}

}  // namespace

TEST_CASE("records of many runs are synced together, and the last ones without a next", "[records]") {
  const RecordDirectory directory;
  Loop loop;
  Metrics metrics("test", 0);
  StorageThread storage(loop);
  RunRecords records(loop, storage, metrics);
  REQUIRE(records.open(directory.path() + "/records", {100, std::chrono::hours(24), 1u << 30}));
  const uint64_t syncs_before = syncs;
  const TimePoint begun = now();
  uint64_t accepted = 0;
  const auto accept_one = [&] {
    Run run;
    run.id = "run-" + std::to_string(accepted++);
    REQUIRE(records.accept(run, plain_settings(), {}));
  };
  std::optional<uint64_t> before_last;  // once all has come
  Duration took{};
  run_until(loop, [&] {
    if (before_last) return syncs > *before_last;
    accept_one();
    if (syncs < syncs_before + 2) return false;
    took = now() - begun;
    accept_one();
    before_last = syncs;
    return false;
  });
  REQUIRE(before_last);
  CHECK(accepted > 100);
  // Each sync has at most the file that is full and the one after it.
  CHECK(*before_last - syncs_before <= 2 * (static_cast<uint64_t>(took / RunRecords::kSyncDelay) + 1));
  CHECK(syncs > *before_last);
}

}  // namespace capsule
