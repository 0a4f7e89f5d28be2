// The waterfall of `trace`, fixed in tests/golden/cli; golden_test.cc says how to write it anew.
#include "cli/render_trace.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "base/posix_io.h"

namespace capsule::cli {
namespace {

std::string golden(const std::string& name) {
  const char* root = std::getenv("CAPSULE_SOURCE_ROOT");
  REQUIRE(root != nullptr);
  return std::string(root) + "/tests/golden/cli/" + name;
}

std::string document() { return read_file(golden("trace.json"), 1 << 20).value(); }

size_t widest(const std::string& text) {
  size_t most = 0, begin = 0;
  for (size_t end = text.find('\n'); end != text.npos; end = text.find('\n', begin = end + 1)) {
    most = std::max(most, end - begin);
  }
  return most;
}

}  // namespace

TEST_CASE("a trace is a waterfall of spans and events", "[cli][golden]") {
  const auto text = render_trace(document(), {});
  REQUIRE(text);
  if (std::getenv("CAPSULE_ACCEPT_GOLDEN") != nullptr) {
    std::ofstream(golden("trace.txt"), std::ios::binary) << *text;
    FAIL("wrote trace.txt");
  }
  CHECK(*text == read_file(golden("trace.txt"), 1 << 20));
}

TEST_CASE("a waterfall fits its terminal", "[cli]") {
  for (const size_t columns : {70, 80, 132, 200}) CHECK(widest(*render_trace(document(), {columns})) <= columns);
  CHECK(widest(*render_trace(document(), {1})) <= kTraceColumns);
}

TEST_CASE("colour changes nothing but the colour", "[cli]") {
  std::string text = *render_trace(document(), {80, Colour::kOn});
  CHECK(text.find("\033[36m") != text.npos);
  for (size_t at = text.find('\033'); at != text.npos; at = text.find('\033'))
    text.erase(at, text.find('m', at) - at + 1);
  CHECK(text == *render_trace(document(), {80, Colour::kOff}));
}

TEST_CASE("colour is for terminals, and for those who do not refuse it", "[cli]") {
  CHECK(colour_for(true, nullptr, "xterm") == Colour::kOn);
  CHECK(colour_for(true, "", "xterm") == Colour::kOn);  // no-color.org: when it is not empty
  CHECK(colour_for(true, "1", "xterm") == Colour::kOff);
  CHECK(colour_for(true, nullptr, "dumb") == Colour::kOff);
  CHECK(colour_for(true, nullptr, nullptr) == Colour::kOff);
  CHECK(colour_for(false, nullptr, "xterm") == Colour::kOff);
}

TEST_CASE("what a manager sends never breaks the waterfall", "[cli]") {
  CHECK_FALSE(render_trace("[]", {}));
  CHECK(render_trace(R"({"v":1})", {}));
  CHECK(render_trace(R"({"v":1,"total_us":-5,"spans":[{"name":1,"begin_us":9,"end_us":2}],"events":[7]})", {}));
  const auto text = render_trace(R"({"v":1,"total_us":10,"events":[{"event":"a\u001b[31m","at_us":99999999999}]})", {});
  REQUIRE(text);
  CHECK(text->find('\033') == text->npos);
}

TEST_CASE("a run whose end nobody saw has none in the waterfall", "[cli]") {
  const auto text = render_trace(R"({"v":1,"run_id":"r","verdict":"aborted","total_us":null,"spans":[],)"
                                 R"("events":[{"event":"submitted","at_us":0},{"event":"started","at_us":115}]})",
                                 {});
  REQUIRE(text);
  CHECK(text->find("verdict  aborted, nobody knows when: its manager was killed\n") != std::string::npos);
  CHECK(text->find("after") == std::string::npos);
  CHECK(text->find("started") != std::string::npos);
}

}  // namespace capsule::cli
