// Spans on their way out: to an OTLP collector, and to traces.jsonl. export_run() and export_request() are for the
// loop's thread and never wait: runs go through a queue of kQueuedRuns, requests through one as long, to a thread that
// writes and sends them together, kGatherTime later. What a collector does not take now waits, up to waiting_bytes of
// it; what is beyond any of these bounds, or refused, is lost and counted, and the log says so.
//
// A collector gets each span once, unless an answer of its own was lost on the way.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "manager/observe/export_retry.h"
#include "manager/observe/otlp.h"
#include "manager/observe/otlp_sender.h"
#include "manager/observe/span_file.h"

namespace capsule {

struct TraceExportOptions {
  std::optional<OtlpEndpoint> endpoint;  // none: no collector
  Duration timeout{};                    // of one attempt
  std::string directory;                 // for SpanFile; empty: no file
  SpanFile::Limits file;
  uint64_t waiting_bytes = 32u << 20;  // of requests that the collector has not taken
};

class TraceExporter {
 public:
  static constexpr size_t kQueuedRuns = 4096;
  static constexpr size_t kBatchRuns = 128;  // and requests
  static constexpr milliseconds kGatherTime{200};
  static constexpr seconds kLastTime{1};  // for what is left at the end

  struct Totals {
    uint64_t exported = 0, recorded = 0, refused = 0, lost = 0;  // spans
    uint64_t failures = 0;                                       // attempts
    uint64_t waiting = 0;                                        // spans, now
  };

  TraceExporter() = default;
  ~TraceExporter() { close(); }
  TraceExporter(const TraceExporter&) = delete;
  TraceExporter& operator=(const TraceExporter&) = delete;

  // Once. Error: there is no place for the file; the collector is served all the same.
  Status open(TraceExportOptions options, SpanSource source);
  bool is_on() const { return thread_.joinable(); }
  void set_python(const std::string& version);
  // What is not sampled is not for here.
  void export_run(RunSpans run);
  void export_request(HttpSpan request);
  // Tries once more what is left, and ends the thread.
  void close();

  Totals totals() const;
  // Of traces.jsonl; empty: there is none.
  const std::string& directory() const { return directory_; }

 private:
  struct Body {
    std::string json;
    uint64_t spans;
  };
  void run();
  SpanBatch next_batch();  // with the lock held; empty: there is none
  void work_off(const SpanBatch& batch, const SpanSource& source);
  void keep(Body body);
  void drop_first();
  void send_waiting(TimePoint until);
  bool send(const Body& body, TimePoint until);  // false: it stays
  void took(const Body& body, const OtlpVerdict& verdict);
  void tell(const Status& done, const char* what);
  void count(uint64_t Totals::*which, uint64_t number);
  void publish_waiting();
  void give_up();

  // The thread's own.
  TraceExportOptions options_;
  std::optional<SpanFile> file_;
  std::unique_ptr<OtlpSender> sender_;
  TraceIds ids_;
  ExportRetry retry_;
  std::mt19937_64 random_{std::random_device{}()};
  std::deque<Body> bodies_;
  uint64_t body_bytes_ = 0, body_spans_ = 0;
  TimePoint next_try_{};

  std::string directory_;  // as it was when the thread began

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_, ended_;
  SpanSource source_;
  std::deque<RunSpans> queue_;
  std::deque<HttpSpan> requests_;
  Totals totals_;
  bool stopping_ = false, has_ended_ = false;

  std::thread thread_;
};

}  // namespace capsule
