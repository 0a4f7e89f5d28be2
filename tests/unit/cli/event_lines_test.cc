#include "cli/event_lines.h"

#include <catch2/catch.hpp>

#include "cli/run_json.h"

namespace capsule::cli {
namespace {

Json parsed(const Message& message) {
  const std::string line = event_line(message);
  REQUIRE(line.ends_with('\n'));
  REQUIRE(line.find('\n') == line.size() - 1);
  return Json::parse(line);
}

}  // namespace

TEST_CASE("every event of a run is one line with version, name and run", "[cli]") {
  const std::vector<Message> events{Accepted{.run_id = "r1"}, Started{.run_id = "r1"},     Output{.run_id = "r1"},
                                    Display{.run_id = "r1"},  ResultValue{.run_id = "r1"}, Finished{.run_id = "r1"}};
  for (const Message& event : events) {
    const Json line = parsed(event);
    CHECK(line["v"] == 1);
    CHECK(line["event"] == type_of(event));
    CHECK(line["run_id"] == "r1");
  }
}

TEST_CASE("output is text when all of it is, else base64", "[cli]") {
  Json line = parsed(Output{.run_id = "r1", .stream = 2, .seq = 3, .offset = 9, .data = {"a\nb"}});
  CHECK(line["stream"] == "stderr");
  CHECK(line["seq"] == 3);
  CHECK(line["offset"] == 9);
  CHECK(line["text"] == "a\nb");
  line = parsed(Output{.run_id = "r1", .stream = 1, .data = {"\xE2\x82"}});
  CHECK_FALSE(line.contains("text"));
  CHECK(line["base64"] == "4oI=");
}

TEST_CASE("metadata is JSON again, and hostile metadata stays text", "[cli]") {
  CHECK(parsed(Display{.run_id = "r1", .metadata_json = "{\"w\":1}"})["metadata"]["w"] == 1);
  CHECK(parsed(Display{.run_id = "r1", .metadata_json = "{{"})["metadata"] == "{{");
  CHECK(parsed(Display{.run_id = "r1"})["metadata"].empty());
}

TEST_CASE("an end has the same parts as in the final document", "[cli]") {
  const Json line = parsed(Finished{.run_id = "r1", .verdict = Verdict::kTimeout, .exit_status = 124});
  CHECK(line["verdict"] == "timeout");
  CHECK(line["exit_status"] == 124);
  for (const char* key : {"error", "evidence", "usage", "layers"}) CHECK(line.contains(key));
}

TEST_CASE("what is not an event of a run has no line", "[cli]") {
  CHECK(event_line(Ack{.re = 1}) == "");
  CHECK(event_line(Credit{.run_id = "r1"}) == "");
}

}  // namespace capsule::cli
