// What the loop does soon: after what is running now, in order, and before it looks for anything new.
#include "manager/async/loop.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/posix_io.h"

namespace capsule {

TEST_CASE("what is wanted soon is done after what is running, and before what was posted", "[loop]") {
  Loop loop;
  std::vector<std::string> done;
  loop.post([&] {
    loop.post([&] {
      done.emplace_back("posted");
      loop.stop();
    });
    loop.soon([&] {
      done.emplace_back("soon");
      loop.soon([&] { done.emplace_back("from there"); });
    });
    loop.soon([&] { done.emplace_back("soon too"); });
    done.emplace_back("running");
  });
  loop.run();
  CHECK(done == std::vector<std::string>{"running", "soon", "soon too", "from there", "posted"});
}

TEST_CASE("outside of the loop's callbacks soon is like post", "[loop]") {
  Loop loop;
  std::vector<int> done;
  loop.soon([&] { done.push_back(1); });
  loop.post([&] {
    done.push_back(2);
    loop.stop();
  });
  CHECK(done.empty());
  loop.run();
  CHECK(done == std::vector<int>{1, 2});
}

TEST_CASE("who wants something soon for ever does not keep the loop from the rest", "[loop]") {
  Loop loop;
  size_t rounds = 0;
  bool stopped = false;
  std::function<void()> again = [&] {
    ++rounds;
    if (!stopped) loop.soon(again);
  };
  loop.post([&] {
    loop.post([&] {
      stopped = true;
      loop.stop();
    });
    loop.soon(again);
  });
  loop.run();
  CHECK(stopped);
  CHECK(rounds > 1);
}

TEST_CASE("a descriptor that takes the place of one with something to read is not told of it", "[loop]") {
  Loop loop;
  auto first = make_pipe(), second = make_pipe(), late = make_pipe();
  REQUIRE((first && second && late));
  std::optional<FdWatch> watch_of_first, watch_of_second, watch_of_late;
  int told = 0;
  // Both are ready in one look of the loop. Whichever is first puts a new descriptor into the other's place.
  const auto replace = [&](FdWatch& own, std::optional<FdWatch>& other) {
    own.pause_reading();
    other.reset();
    watch_of_late.emplace(loop, std::move(late->first));
    watch_of_late->on_readable([&] {
      ++told;
      loop.stop();
    });
  };
  watch_of_first.emplace(loop, std::move(first->first));
  watch_of_second.emplace(loop, std::move(second->first));
  watch_of_first->on_readable([&] { replace(*watch_of_first, watch_of_second); });
  watch_of_second->on_readable([&] { replace(*watch_of_second, watch_of_first); });
  REQUIRE(write_all(first->second.get(), "x"));
  REQUIRE(write_all(second->second.get(), "x"));
  Timer later(loop);
  later.after(milliseconds(20), [&] {
    CHECK(told == 0);
    CHECK(write_all(late->second.get(), "x"));
  });
  Timer never(loop);
  never.after(seconds(10), [&] { loop.stop(); });
  loop.run();
  CHECK(told == 1);
}

}  // namespace capsule
