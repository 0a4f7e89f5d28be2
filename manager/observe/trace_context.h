// Which trace a run belongs to, and how its own span is called in it: W3C Trace Context, version 00
// (https://www.w3.org/TR/trace-context/). Pure, but for the ids that are made here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace capsule {

struct TraceContext {
  static constexpr uint8_t kSampled = 1;

  std::string trace_id;   // 32 hex digits
  std::string span_id;    // 16 hex digits: of the run
  std::string parent_id;  // 16 hex digits: of the caller's span; empty: the trace begins here
  uint8_t flags = kSampled;

  // What is not sampled is neither exported nor an exemplar; its events are kept like any other's.
  bool is_sampled() const { return (flags & kSampled) != 0; }
};

// For whoever the run calls: its own span is the parent there.
std::string traceparent_of(const TraceContext& context);

// trace_id, parent_id and flags; nullopt for what the specification says to ignore. Later versions are read as far as
// version 00 goes.
std::optional<TraceContext> parse_traceparent(std::string_view text);

// 1 to kRequestIdBytes printable characters of ASCII, no space: what may go into a log line as it is.
bool is_printable_id(std::string_view text);

// Not thread-safe: belongs to one thread.
class TraceIds {
 public:
  // A new span, below the caller's when that names one.
  TraceContext begin(std::string_view traceparent);
  std::string span_id() { return hex(kSpanBytes); }

 private:
  static constexpr size_t kTraceBytes = 16, kSpanBytes = 8;
  std::string hex(size_t bytes);  // random, never all zeros

  std::array<unsigned char, 480> pool_{};  // one system call for twenty runs
  size_t used_ = pool_.size();
};

}  // namespace capsule
