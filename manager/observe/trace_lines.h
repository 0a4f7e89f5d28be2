// The trace of one run for people and programs: events with their distance from the first one, and the spans between
// them. Three forms: a line of text in the log of runs, trace.jsonl in its directory, the document that `capsule trace`
// gets. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "manager/observe/trace_buffer.h"

namespace capsule {

struct TraceLine {
  std::string event;
  int64_t at_us = 0;   // since the first event of the run
  std::string detail;  // or empty
  bool operator==(const TraceLine&) const = default;
};

std::vector<TraceLine> trace_lines(const std::vector<TraceMark>& marks);

// "submitted=0 leased=52:hit"
std::string trace_text(const std::vector<TraceLine>& lines);
// What is not of that form is left out.
std::vector<TraceLine> read_trace_text(std::string_view text);

// Of the run itself: what follows is no part of it, such as a snapshot that is taken when its session is idle.
int64_t trace_end_us(const std::vector<TraceLine>& lines);

struct TraceSpan {
  std::string_view name;  // queue, lease, execute, drain
  int64_t begin_us = 0, end_us = 0;
};
// In order, without gaps; those that did not begin are left out. One that has not ended yet ends with the last event.
std::vector<TraceSpan> trace_spans(const std::vector<TraceLine>& lines);

struct TraceFacts {
  std::string run_id, session, request_id, trace_id, span_id, parent_id, verdict;  // empty: none, or not yet
  int64_t began_wall_us = 0;
  uint64_t overwritten = 0;  // marks of this session's runs that are lost
};

// One object a line.
std::string trace_jsonl(const TraceFacts& facts, const std::vector<TraceLine>& lines);
struct TraceFile {
  int64_t began_wall_us = 0;
  std::vector<TraceLine> lines;
};
// Lines that are none of ours are left out.
TraceFile read_trace_jsonl(std::string_view text);
// "total_us" is null where the run is over without an event that says so: its manager was killed.
std::string trace_document(const TraceFacts& facts, const std::vector<TraceLine>& lines);

}  // namespace capsule
