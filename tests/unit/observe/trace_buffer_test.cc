// The marks of runs, and the forms they take.
#include "manager/observe/trace_buffer.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "manager/observe/trace_lines.h"

using namespace capsule;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{};

// One run from its request to its verdict, in milliseconds.
std::vector<TraceMark> whole_run() {
  return {{TraceEvent::kSubmitted, kStart, {}},          {TraceEvent::kAdmitted, kStart + 1ms, {}},
          {TraceEvent::kQueued, kStart + 2ms, {}},       {TraceEvent::kDequeued, kStart + 10ms, {}},
          {TraceEvent::kLeased, kStart + 12ms, "hit"},   {TraceEvent::kStarted, kStart + 15ms, {}},
          {TraceEvent::kFirstOutput, kStart + 20ms, {}}, {TraceEvent::kOutputFlushed, kStart + 40ms, {}},
          {TraceEvent::kDrained, kStart + 41ms, {}},     {TraceEvent::kFinished, kStart + 42ms, "ok"}};
}

std::string spans_text(const std::vector<TraceLine>& lines) {
  std::string text;
  for (const TraceSpan& span : trace_spans(lines)) {
    text += std::string(span.name) + " " + std::to_string(span.begin_us) + "-" + std::to_string(span.end_us) + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("a run finds its own marks among those of others, in order", "[trace]") {
  TraceBuffer buffer(16);
  for (int i = 0; i < 3; ++i) {
    buffer.add(1, {TraceEvent::kQueued, kStart + i * 1ms, {}});
    buffer.add(2, {TraceEvent::kStarted, kStart + i * 1ms, {}});
  }
  const auto marks = buffer.of(2);
  REQUIRE(marks.size() == 3);
  CHECK(marks[0].at < marks[2].at);
  CHECK(marks[0].event == TraceEvent::kStarted);
  CHECK(buffer.of(3).empty());
  CHECK(buffer.overwritten() == 0);
}

TEST_CASE("a full buffer keeps the latest marks and counts the others", "[trace]") {
  TraceBuffer buffer(8);
  for (uint64_t run = 1; run <= 100; ++run) buffer.add(run, {TraceEvent::kQueued, kStart + run * 1ms, {}});
  CHECK(buffer.overwritten() == 92);
  CHECK(buffer.of(92).empty());
  CHECK(buffer.of(93).size() == 1);
  CHECK(buffer.of(100).size() == 1);
}

TEST_CASE("marks survive a full turn of the ring in order", "[trace]") {
  TraceBuffer buffer(8);
  for (int i = 0; i < 21; ++i) buffer.add(1, {TraceEvent::kSnapshot, kStart + i * 1ms, {}});
  const auto lines = trace_lines(buffer.of(1));
  REQUIRE(lines.size() == 8);
  for (size_t i = 0; i < lines.size(); ++i) CHECK(lines[i].at_us == static_cast<int64_t>(i) * 1000);
}

TEST_CASE("one run never fills the buffer of a run", "[trace]") {
  CHECK(kAllTraceEvents.size() * 2 <= TraceBuffer::kRunMarks);
  std::string words;
  for (const TraceEvent event : kAllTraceEvents) words += std::string(to_string(event)) + " ";
  CHECK(words ==
        "submitted admitted queued dequeued leased started first_output interrupt_sent killed output_flushed "
        "drained snapshot rolled_back finished ");
}

TEST_CASE("the log of runs has a trace on one line, and it can be read back", "[trace]") {
  const auto lines = trace_lines(whole_run());
  const std::string text = trace_text(lines);
  CHECK(text.starts_with("submitted=0 admitted=1000 queued=2000 dequeued=10000 leased=12000:hit "));
  CHECK(read_trace_text(text) == lines);
  CHECK(read_trace_text("").empty());
  CHECK(read_trace_text("nothing = =1 a=b c=1x d=5 :=").size() == 1);  // "d=5"
}

TEST_CASE("trace.jsonl can be read back, and broken lines cost only themselves", "[trace]") {
  TraceFacts facts;
  facts.run_id = "r-1", facts.trace_id = "t-1", facts.began_wall_us = 1'700'000'000'000'123;
  const auto lines = trace_lines(whole_run());
  std::string text = trace_jsonl(facts, lines);
  CHECK(
      text.find(
          R"({"event":"leased","at_us":12000,"wall_us":1700000000012123,"run_id":"r-1","trace_id":"t-1","detail":"hit"})") !=
      std::string::npos);
  TraceFile file = read_trace_jsonl("{torn\n[]\n" + text + "{\"event\":5}\n");
  CHECK(file.lines == lines);
  CHECK(file.began_wall_us == facts.began_wall_us);
}

TEST_CASE("the spans of a run follow each other without gaps", "[trace]") {
  CHECK(spans_text(trace_lines(whole_run())) ==
        "queue 2000-10000\nlease 10000-15000\nexecute 15000-40000\ndrain 40000-42000\n");
}

TEST_CASE("a run that never started has the spans it came to", "[trace]") {
  auto marks = whole_run();
  marks.erase(marks.begin() + 4, marks.end() - 1);
  CHECK(spans_text(trace_lines(marks)) == "queue 2000-10000\nlease 10000-42000\n");
}

TEST_CASE("a run under way has its latest span open until the latest event", "[trace]") {
  auto marks = whole_run();
  marks.resize(7);
  CHECK(spans_text(trace_lines(marks)) == "queue 2000-10000\nlease 10000-15000\nexecute 15000-20000\n");
  CHECK(spans_text({}).empty());
}

TEST_CASE("a snapshot after the end does not lengthen the run", "[trace]") {
  auto marks = whole_run();
  marks.push_back({TraceEvent::kSnapshot, kStart + 90ms, "idle"});
  const auto document = nlohmann::json::parse(trace_document({}, trace_lines(marks)));
  CHECK(document["total_us"] == 42000);
  CHECK(document["spans"][3]["end_us"] == 42000);
  CHECK(document["events"][10]["at_us"] == 90000);
  CHECK(document["session"].is_null());
  CHECK_FALSE(document.contains("overwritten"));
}
