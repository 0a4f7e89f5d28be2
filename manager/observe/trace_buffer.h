// What happened to runs, and when: a ring of marks for each session, and a small one for each run that has no session.
// Metadata only: an event, a time, a word of ours. Pure; one thread.
//
// At the limit the oldest marks are overwritten, and counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "manager/observe/trace_context.h"

namespace capsule {

enum class TraceEvent : uint8_t {
  kSubmitted,      // the request is here
  kAdmitted,       // it was taken
  kQueued,         // it is recorded, and has its place in line
  kDequeued,       // its turn has come: it asks for a worker
  kLeased,         // it has one (hit, miss, session)
  kStarted,        // the program is sent to it
  kFirstOutput,    // the first bytes came out of its pipes
  kInterruptSent,  // why: cancel, timeout ...
  kKilled,
  kOutputFlushed,  // the program is over, both pipes are empty
  kDrained,        // its worker is free again, or gone
  kSnapshot,       // a snapshot was taken, before it (waited for) or after
  kRolledBack,     // its session went back (snapshot, fresh)
  kFinished        // the verdict
};
inline constexpr std::array kAllTraceEvents{
    TraceEvent::kSubmitted,  TraceEvent::kAdmitted,      TraceEvent::kQueued,      TraceEvent::kDequeued,
    TraceEvent::kLeased,     TraceEvent::kStarted,       TraceEvent::kFirstOutput, TraceEvent::kInterruptSent,
    TraceEvent::kKilled,     TraceEvent::kOutputFlushed, TraceEvent::kDrained,     TraceEvent::kSnapshot,
    TraceEvent::kRolledBack, TraceEvent::kFinished};
std::string_view to_string(TraceEvent event);

struct TraceMark {
  TraceEvent event{};
  TimePoint at{};
  std::string_view word;  // a literal: a verdict, how it was leased; or empty
};

class TraceBuffer {
 public:
  static constexpr size_t kSessionMarks = 512;  // the latest forty runs or so
  static constexpr size_t kRunMarks = 32;       // of one run, more than it can have

  explicit TraceBuffer(size_t marks_max) : marks_max_(marks_max) {}

  void add(uint64_t run, const TraceMark& mark);
  std::vector<TraceMark> of(uint64_t run) const;  // oldest first
  uint64_t overwritten() const { return added_ - ring_.size(); }

 private:
  struct Entry {
    uint64_t run;
    TraceMark mark;
  };
  const size_t marks_max_;
  std::vector<Entry> ring_;  // grows to marks_max_
  uint64_t added_ = 0;
};

// A run's own part of a buffer.
struct RunTrace {
  TraceContext context;
  std::shared_ptr<TraceBuffer> buffer;  // none: nothing is kept
  uint64_t key = 0;                     // of this run in the buffer; grows with time
  int64_t began_wall_us = 0;            // when the first mark was made

  void mark(TraceEvent event, TimePoint at, std::string_view word = {}) const {
    if (buffer) buffer->add(key, {event, at, word});
  }
  std::string_view sampled_id() const { return context.is_sampled() ? std::string_view(context.trace_id) : ""; }
  std::vector<TraceMark> marks() const { return buffer ? buffer->of(key) : std::vector<TraceMark>(); }
};

}  // namespace capsule
