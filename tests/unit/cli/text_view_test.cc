#include "cli/text_view.h"

#include <catch2/catch.hpp>

#include "tests/unit/cli/memory_file.h"

namespace capsule::cli {
namespace {

struct Shown {
  MemoryFile out, err;
  StdioWriter stdio{out.fd(), err.fd(), -1};
};

Output chunk(uint32_t stream, const std::string& data) {
  return Output{.run_id = "r1", .stream = stream, .data = {data}};
}

}  // namespace

TEST_CASE("output is passed on byte by byte to its own stream", "[cli]") {
  Shown s;
  TextView view(s.stdio, {}, std::nullopt);
  const std::string bytes("a\0\xff\x1b[1m\n", 8);
  REQUIRE(view.show(chunk(1, bytes)));
  REQUIRE(view.show(chunk(2, "oops")));
  CHECK(s.out.text() == bytes);
  CHECK(s.err.text() == "oops");
}

TEST_CASE("with escaping nothing reaches the terminal that could drive it", "[cli]") {
  Shown s;
  TextView view(s.stdio, {.control_characters = ControlCharacters::kEscape}, std::nullopt);
  REQUIRE(view.show(chunk(1, "\x1b[1m\xE2\x82")));
  REQUIRE(view.show(Display{.run_id = "r1", .data = {{"text/plain", {"\x1b]0;x\x07"}}}}));
  Finished finished{.run_id = "r1", .verdict = Verdict::kException};
  finished.error = RaisedError{"E", "v", {"\x1b[31mE: v"}};
  REQUIRE(view.show(finished));
  CHECK(s.out.text().find('\x1b') == std::string::npos);
  CHECK(s.err.text() == "\\x1b[31mE: v\n");
}

TEST_CASE("the last value is printed unless it is hidden", "[cli]") {
  const ResultValue value{.run_id = "r1", .data = {{"text/plain", {"42"}}, {"text/html", {"<b>42</b>"}}}};
  Shown shown, hidden;
  REQUIRE(TextView(shown.stdio, {}, std::nullopt).show(value));
  REQUIRE(TextView(hidden.stdio, {.result_text = ResultText::kHide}, std::nullopt).show(value));
  CHECK(shown.out.text() == "42\n");
  CHECK(hidden.out.text() == "");
}

TEST_CASE("a picture is announced on stderr with the way to save it", "[cli]") {
  Shown s;
  TextView view(s.stdio, {}, std::nullopt);
  REQUIRE(
      view.show(Display{.run_id = "r1", .data = {{"image/png", {std::string(2048, 'x')}}, {"text/plain", {"<F>"}}}}));
  CHECK(s.out.text() == "<F>\n");
  CHECK(s.err.text() == "[image/png 2.0 KiB; use --display-dir DIR to save]\n");
}

TEST_CASE("pictures are saved when a directory was given, of hidden results too", "[cli]") {
  const TemporaryDirectory place;
  Shown s;
  auto files = DisplayFiles::open(place.path());
  REQUIRE(files);
  TextView view(s.stdio, {.result_text = ResultText::kHide}, std::move(*files));
  REQUIRE(view.show(Display{.run_id = "r1", .data = {{"image/png", {"P"}}}}));
  REQUIRE(view.show(ResultValue{.run_id = "r1", .data = {{"image/svg+xml", {"S"}}, {"text/plain", {"x"}}}}));
  CHECK(s.out.text() == "");
  CHECK(s.err.text() ==
        "capsule: saved " + place.path() + "/r1-1.png\ncapsule: saved " + place.path() + "/r1-result.svg\n");
}

TEST_CASE("traceback, then what Capsule has to say, on stderr", "[cli]") {
  Shown s;
  TextView view(s.stdio, {}, std::nullopt);
  Finished finished{.run_id = "r1", .verdict = Verdict::kTimeout};
  finished.error = RaisedError{"KeyboardInterrupt", "", {"Traceback", "KeyboardInterrupt"}};
  finished.evidence.rung = "interrupt";
  finished.usage.wall_us = 1'500'000;
  REQUIRE(view.show(finished));
  CHECK(s.err.text() == "Traceback\nKeyboardInterrupt\ncapsule: timeout after 1.5 s (interrupt)\n");
}

TEST_CASE("late output is counted on stderr and never mixed into stdout", "[cli]") {
  Shown s;
  TextView view(s.stdio, {}, std::nullopt);
  Output late = chunk(1, "late");
  late.late = true;
  REQUIRE(view.show(late));
  REQUIRE(view.show(Finished{.run_id = "r1", .verdict = Verdict::kOk}));
  CHECK(s.out.text() == "");
  CHECK(s.err.text() == "capsule: 4 bytes were printed after an earlier run had finished\n");
}

}  // namespace capsule::cli
