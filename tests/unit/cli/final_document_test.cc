#include "cli/final_document.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "cli/run_json.h"
#include "tests/unit/cli/memory_file.h"

namespace capsule::cli {
namespace {

struct Collected {
  explicit Collected(size_t captured_bytes = kCapturedBytes)
      : document(stdio, FinalDocument::Writing::kAtTheEnd, captured_bytes) {}

  Json finish(const Finished& finished) {
    REQUIRE(document.show(finished));
    const std::string text = out.text();
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    Json parsed = Json::parse(text, nullptr, false);
    REQUIRE(parsed.is_object());
    return parsed;
  }
  Json finish() { return finish(Finished{.run_id = "r1", .verdict = Verdict::kOk}); }

  MemoryFile out, err;
  StdioWriter stdio{out.fd(), err.fd(), -1};
  FinalDocument document;
};

Output chunk(uint32_t stream, const std::string& data) {
  return Output{.run_id = "r1", .stream = stream, .data = {data}};
}

}  // namespace

TEST_CASE("the document has every key of the contract", "[cli]") {
  Collected c;
  const Json document = c.finish();
  for (const char* key : {"v", "run_id", "verdict", "exit_status", "stdout", "stderr", "result", "displays", "error",
                          "evidence", "usage", "layers"}) {
    INFO(key);
    CHECK(document.contains(key));
  }
  for (const char* key : {"wall_s", "cpu_user_s", "cpu_system_s", "queue_s", "peak_memory_bytes"}) {
    INFO(key);
    CHECK(document["usage"].contains(key));
  }
  CHECK(document["v"] == 1);
  CHECK(document["result"].is_null());
  CHECK(document["error"].is_null());
  CHECK(document["displays"].empty());
  CHECK_FALSE(document.contains("truncated_by_client"));
}

TEST_CASE("streams are collected apart, in order", "[cli]") {
  Collected c;
  for (const auto& output : {chunk(1, "a"), chunk(2, "x"), chunk(1, "b")}) REQUIRE(c.document.show(output));
  const Json document = c.finish();
  CHECK(document["stdout"] == "ab");
  CHECK(document["stderr"] == "x");
  CHECK_FALSE(document.contains("stdout_base64"));
}

TEST_CASE("bytes that are not text are replaced and given in base64 beside", "[cli]") {
  Collected c;
  REQUIRE(c.document.show(chunk(1, "a\xff")));
  const Json document = c.finish();
  CHECK(document["stdout"] == "a\xEF\xBF\xBD");
  CHECK(document["stdout_base64"] == "Yf8=");
}

TEST_CASE("a character cut between two chunks is whole in the document", "[cli]") {
  Collected c;
  REQUIRE(c.document.show(chunk(1, "\xE2\x82")));
  REQUIRE(c.document.show(chunk(1, "\xAC")));
  CHECK(c.finish()["stdout"] == "\xE2\x82\xAC");
}

TEST_CASE("what does not fit is left out and counted to the byte", "[cli]") {
  Collected c(10);
  REQUIRE(c.document.show(chunk(1, "12345678")));
  REQUIRE(c.document.show(chunk(2, "abcdef")));
  REQUIRE(c.document.show(chunk(1, "!")));
  const Json document = c.finish();
  CHECK(document["stdout"] == "12345678");
  CHECK(document["stderr"] == "ab");
  CHECK(document["truncated_by_client"] == 5);
}

TEST_CASE("bundles: text as text, JSON parsed, the rest in base64", "[cli]") {
  Collected c;
  REQUIRE(c.document.show(ResultValue{.run_id = "r1",
                                      .data = {{"text/plain", {"v"}},
                                               {"application/json", {"{\"a\":[1]}"}},
                                               {"image/svg+xml", {"<svg/>"}},
                                               {"image/png", {"\x89PNG"}}}}));
  const Json result = c.finish()["result"];
  CHECK(result["text/plain"] == "v");
  CHECK(result["application/json"]["a"][0] == 1);
  CHECK(result["image/svg+xml"] == "<svg/>");
  CHECK(result["image/png"] == "iVBORw==");
}

TEST_CASE("JSON that is broken or nested without end stays text", "[cli]") {
  Collected c;
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  REQUIRE(c.document.show(Display{.run_id = "r1", .data = {{"application/json", {"{"}}}}));
  REQUIRE(c.document.show(Display{.run_id = "r1", .data = {{"application/json", {deep}}}}));
  REQUIRE(c.document.show(Display{.run_id = "r1", .data = {{"application/json", {"1e999"}}}}));
  const Json displays = c.finish()["displays"];
  CHECK(displays[0]["application/json"] == "{");
  CHECK(displays[1]["application/json"] == deep);
  CHECK(displays[2]["application/json"] == "1e999");
}

TEST_CASE("an updated display replaces the one with its id", "[cli]") {
  Collected c;
  const auto display = [](const char* id, const char* text, bool update) {
    return Display{.run_id = "r1", .display_id = id, .update = update, .data = {{"text/plain", {text}}}};
  };
  REQUIRE(c.document.show(display("a", "10%", false)));
  REQUIRE(c.document.show(display("b", "other", false)));
  REQUIRE(c.document.show(display("a", "20%", true)));
  const Json displays = c.finish()["displays"];
  REQUIRE(displays.size() == 2);
  CHECK(displays[0]["text/plain"] == "20%");
}

TEST_CASE("displays beyond their number are counted", "[cli]") {
  Collected c;
  for (size_t i = 0; i < kDisplays + 2; ++i) REQUIRE(c.document.show(Display{.run_id = "r1"}));
  const Json document = c.finish();
  CHECK(document["displays"].size() == kDisplays);
  CHECK(document["displays_dropped_by_client"] == 2);
}

TEST_CASE("error and evidence are told in full", "[cli]") {
  Collected c;
  Finished finished{.run_id = "r1", .verdict = Verdict::kCrashed, .exit_status = 139};
  finished.error = RaisedError{"E", "v", {"l1", "l2"}};
  finished.evidence.signal = 11;
  finished.evidence.last_output.value = "end\xff";
  finished.evidence.layers = {{"pid_namespace", "on", ""}};
  finished.usage.wall_us = 1'500'000;
  const Json document = c.finish(finished);
  CHECK(document["verdict"] == "crashed");
  CHECK(document["exit_status"] == 139);
  CHECK(document["error"]["traceback"][1] == "l2");
  CHECK(document["evidence"]["signal"] == 11);
  CHECK(document["evidence"]["exit_code"].is_null());
  CHECK(document["evidence"]["last_output"] == "end\xEF\xBF\xBD");
  CHECK(document["layers"][0]["name"] == "pid_namespace");
  CHECK(document["usage"]["wall_s"] == 1.5);
}

TEST_CASE("a run that was not accepted has a document too", "[cli]") {
  Collected c;
  REQUIRE(c.document.show(ErrorReply{.re = 1, .code = "unavailable", .message = "the queue is full"}));
  const Json document = Json::parse(c.out.text());
  CHECK(document["verdict"] == "rejected");
  CHECK(document["exit_status"] == 125);
  CHECK(document["evidence"]["detail"] == "the queue is full");
  CHECK(document["evidence"]["retry"] == true);
  CHECK(document["layers"].empty());
  CHECK(document["layers_missing"] == "the manager closed the connection");
}

TEST_CASE("a refused run has the layers of its profile, or why there are none", "[cli]") {
  const ErrorReply refusal{.re = 1, .code = "unavailable", .message = "the queue is full"};
  Collected up;
  up.document.ask_layers_of([] { return ProfileLayers{{{"seccomp", "on", ""}}, {}}; });
  REQUIRE(up.document.show(refusal));
  const Json with = Json::parse(up.out.text());
  CHECK(with["layers"][0]["name"] == "seccomp");
  CHECK(with["evidence"]["layers"] == with["layers"]);
  CHECK_FALSE(with.contains("layers_missing"));
  Collected down;
  down.document.ask_layers_of([] { return ProfileLayers{{}, "no capsule of this profile has come up yet"}; });
  REQUIRE(down.document.show(refusal));
  const Json without = Json::parse(down.out.text());
  CHECK(without["layers"].empty());
  CHECK(without["layers_missing"] == "no capsule of this profile has come up yet");
}

TEST_CASE("the layers of a profile are found by its name or by one of its sessions", "[cli]") {
  const std::string told =
      R"({"pools": [{"profile": "a", "layers": [{"name": "root", "state": "off", "detail": "why"}]},
                                         {"profile": "b", "layers": []}],
                               "sessions": [{"session": "lab", "profile": "a"}]})";
  for (const ProfileLayers& found : {profile_layers_in(told, "a", ""), profile_layers_in(told, "b", "lab")}) {
    REQUIRE(found.layers.size() == 1);
    CHECK(found.layers[0] == Layer{"root", "off", "why"});
    CHECK(found.missing.empty());
  }
  CHECK(profile_layers_in(told, "b", "").missing == "no capsule of this profile has come up yet");
  CHECK(profile_layers_in(told, "c", "").missing == "there is no such profile");
  CHECK(profile_layers_in(told, "a", "gone").missing == "there is no such session");
  for (const char* odd : {"", "7", "{}", R"({"pools": 1})", R"({"pools": [1, {"profile": "a", "layers": [[]]}]})"}) {
    CHECK(profile_layers_in(odd, "x", "").layers.empty());
  }
}

TEST_CASE("base64 pads as it should", "[cli]") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foobar") == "Zm9vYmFy");
}

}  // namespace capsule::cli
