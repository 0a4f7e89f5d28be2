// The storage thread: order, the bound of its queue, where answers run, and how it ends.
#include "manager/storage/storage_thread.h"

#include <catch2/catch.hpp>
#include <future>
#include <vector>

namespace capsule {

TEST_CASE("jobs run in order on the thread, answers on the loop", "[storage]") {
  Loop loop;
  StorageThread storage(loop);
  std::vector<int> worked, answered;
  std::vector<std::thread::id> threads;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(storage.submit(
        [&worked, &threads, i] {
          worked.push_back(i);
          threads.push_back(std::this_thread::get_id());
          return i * 2;
        },
        [&, i](int twice) {
          CHECK(twice == i * 2);
          answered.push_back(i);
          if (i == 99) loop.stop();
        }));
  }
  loop.run();
  CHECK(worked == answered);
  CHECK(worked.size() == 100);
  for (const auto& id : threads) CHECK((id == threads[0] && id != std::this_thread::get_id()));
}

TEST_CASE("a full queue refuses, and works on afterwards", "[storage]") {
  Loop loop;
  StorageThread storage(loop, 2);
  std::promise<void> started, go;
  const auto work = [&] {
    started.set_value();
    go.get_future().wait();
    return 0;
  };
  REQUIRE(storage.submit(work, [](int) {}));
  started.get_future().wait();  // it is at work, and no longer in the queue
  REQUIRE(storage.submit([] { return 1; }, [](int) {}));
  REQUIRE(storage.submit([] { return 2; }, [&](int) { loop.stop(); }));
  const auto refused = storage.submit([] { return 3; }, [](int) { FAIL("it was refused"); });
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kUnavailable);
  CHECK(storage.queued() == 2);
  go.set_value();
  loop.run();
  CHECK(storage.queued() == 0);
  CHECK(storage.submit([] { return 4; }, [](int) {}));
}

TEST_CASE("what is queued is done before the thread ends", "[storage]") {
  Loop loop;
  int done = 0;
  {
    StorageThread storage(loop);
    for (int i = 0; i < 50; ++i)
      REQUIRE(storage.submit([&done] { return ++done; }, [](int) { FAIL("the loop is over"); }));
  }
  CHECK(done == 50);
}

}  // namespace capsule
