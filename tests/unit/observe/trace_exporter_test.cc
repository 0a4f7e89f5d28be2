// The thread and its bounds. What a collector gets is shown with a real one in tests/system/test_otlp.py.
#include "manager/observe/trace_exporter.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "base/posix_io.h"

using namespace capsule;

namespace {

RunSpans a_run() {
  RunSpans run;
  run.context = TraceIds().begin("");
  run.marks = {{TraceEvent::kSubmitted, TimePoint{}, {}}, {TraceEvent::kFinished, TimePoint{}, "rejected"}};
  return run;
}

struct Directory {
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "capsule-export-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string path;
};

// Nobody listens there: port 1 of this machine.
OtlpEndpoint nowhere() { return parse_otlp_endpoint("http://127.0.0.1:1", "").value(); }

}  // namespace

TEST_CASE("all runs are in the file once the exporter is closed", "[trace export]") {
  const Directory directory;
  TraceExporter exporter;
  REQUIRE(exporter.open({{}, std::chrono::seconds(1), directory.path + "/traces", {1u << 20, 1}}, {}));
  for (int i = 0; i < 1000; ++i) exporter.export_run(a_run());
  exporter.close();
  CHECK(exporter.totals().recorded == 1000);
  CHECK(exporter.totals().lost == 0);
  const std::string text = read_file(directory.path + "/traces/traces.jsonl", 1u << 20).value();
  size_t spans = 0;
  for (size_t at = text.find("\"spanId\""); at != text.npos; at = text.find("\"spanId\"", at + 1)) ++spans;
  CHECK(spans == 1000);
}

TEST_CASE("what no collector takes is counted as lost at the end, and the end comes soon", "[trace export]") {
  TraceExporter exporter;
  REQUIRE(exporter.open({nowhere(), std::chrono::seconds(1), "", {}}, {}));
  for (int i = 0; i < 10; ++i) exporter.export_run(a_run());
  exporter.close();
  const TraceExporter::Totals totals = exporter.totals();
  CHECK(totals.lost == 10);
  CHECK(totals.waiting == 0);
  CHECK(totals.exported == 0);
  CHECK(totals.failures >= 1);
}

TEST_CASE("a full queue loses what comes, and counts it", "[trace export]") {
  const Directory directory;
  TraceExporter exporter;
  REQUIRE(exporter.open({{}, std::chrono::seconds(1), directory.path, {64u << 20, 1}}, {}));
  constexpr size_t kMany = 4 * TraceExporter::kQueuedRuns;  // within one kGatherTime, or the thread takes some of them
  for (size_t i = 0; i < kMany; ++i) exporter.export_run(a_run());
  exporter.close();
  const TraceExporter::Totals totals = exporter.totals();
  CHECK(totals.recorded + totals.lost == kMany);
  CHECK(totals.recorded >= TraceExporter::kQueuedRuns);
}

TEST_CASE("so many bytes wait for a collector and no more", "[trace export]") {
  constexpr size_t kRuns = 8 * TraceExporter::kBatchRuns;
  TraceExporter exporter;
  // Room for two requests of a hundred and more runs each, not for three.
  REQUIRE(exporter.open({nowhere(), std::chrono::seconds(1), "", {}, TraceExporter::kBatchRuns * 1500}, {}));
  for (size_t i = 0; i < kRuns; ++i) exporter.export_run(a_run());
  TraceExporter::Totals totals;
  while (totals.waiting + totals.lost < kRuns) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    totals = exporter.totals();
  }
  CHECK(totals.waiting >= TraceExporter::kBatchRuns);
  CHECK(totals.waiting <= 4 * TraceExporter::kBatchRuns);
  CHECK(totals.lost == kRuns - totals.waiting);
  exporter.close();
  CHECK(exporter.totals().lost == kRuns);
}

TEST_CASE("an exporter that has nowhere to go is off", "[trace export]") {
  TraceExporter exporter;
  REQUIRE(exporter.open({{}, std::chrono::seconds(1), "", {}}, {}));
  CHECK_FALSE(exporter.is_on());
  exporter.export_run(a_run());
  exporter.close();
  CHECK(exporter.totals().lost == 0);
}

TEST_CASE("without a directory for the file the collector is served all the same", "[trace export]") {
  TraceExporter exporter;
  CHECK_FALSE(exporter.open({nowhere(), std::chrono::seconds(1), "/proc/nosuch", {1024, 1}}, {}));
  CHECK(exporter.is_on());
}
