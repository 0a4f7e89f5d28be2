// What the loop does soon: after what is running now, in order, and before it looks for anything new.
#include "manager/async/loop.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

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

}  // namespace capsule
