// Runs as OpenTelemetry spans in OTLP's JSON form (opentelemetry-proto, docs/specification.md: ids in hex, 64-bit
// numbers as text, enums as numbers). One object of it is a request to a collector, and a line of a file
// (https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/). Pure, but for the ids of inner spans.
//
// A run is a span `run` (server) with `queue`, `lease`, `execute` and `drain` inside it, and its events. Ids, words of
// ours and numbers only: nothing that programs or their users bring along but the names of sessions and requests.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "manager/observe/labels.h"
#include "manager/observe/trace_buffer.h"

namespace capsule {

struct SpanSource {  // the resource
  std::string version, instance_id, host, python;
  int64_t pid = 0;
};

struct RunSpans {
  TraceContext context;
  int64_t began_wall_us = 0;
  std::vector<TraceMark> marks;
  std::string run_id, request_id, session, profile;
  std::string_view verdict;  // a literal
  bool is_failure = false;   // for the span's status; a verdict that a program chose itself may be none
  int32_t exit_status = 0;
  uid_t uid = 0;
  pid_t worker_pid = 0;  // 0: it never had one
  uint64_t cpu_user_us = 0, cpu_system_us = 0, peak_memory_bytes = 0, output_bytes = 0;
};

// A request to the HTTP listener that is part of a trace.
struct HttpSpan {
  TraceContext context;
  int64_t began_wall_us = 0, took_us = 0;
  label::HttpMethod method = label::HttpMethod::kOther;
  std::string_view route, path;  // literals; empty: a path that is not served, which may be anything
  unsigned status = 0;
  std::string request_id;
};

struct SpanBatch {
  std::vector<RunSpans> runs;
  std::vector<HttpSpan> requests;
};

// How many spans there will be.
size_t count_spans(const RunSpans& run);
size_t count_spans(const SpanBatch& batch);

// What a collector says of a request that it took (partialSuccess in opentelemetry-proto's docs/specification.md).
struct OtlpVerdict {
  uint64_t rejected_spans = 0;  // as it says: it can be anything
  std::string message;          // empty: none
};
OtlpVerdict read_otlp_answer(std::string_view json);

std::string otlp_json(const SpanSource& source, const SpanBatch& batch, TraceIds& ids);

}  // namespace capsule
