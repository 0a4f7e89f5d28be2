#include "manager/observe/trace_buffer.h"

namespace capsule {

std::string_view to_string(TraceEvent event) {
  switch (event) {
    case TraceEvent::kSubmitted: return "submitted";
    case TraceEvent::kAdmitted: return "admitted";
    case TraceEvent::kQueued: return "queued";
    case TraceEvent::kDequeued: return "dequeued";
    case TraceEvent::kLeased: return "leased";
    case TraceEvent::kStarted: return "started";
    case TraceEvent::kFirstOutput: return "first_output";
    case TraceEvent::kInterruptSent: return "interrupt_sent";
    case TraceEvent::kKilled: return "killed";
    case TraceEvent::kOutputFlushed: return "output_flushed";
    case TraceEvent::kDrained: return "drained";
    case TraceEvent::kSnapshot: return "snapshot";
    case TraceEvent::kRolledBack: return "rolled_back";
    case TraceEvent::kFinished: return "finished";
  }
  return "unknown";
}

void TraceBuffer::add(uint64_t run, const TraceMark& mark) {
  if (ring_.size() < marks_max_) {
    if (ring_.capacity() == 0) ring_.reserve(kRunMarks / 2);
    ring_.push_back({run, mark});
  } else {
    ring_[added_ % marks_max_] = {run, mark};
  }
  ++added_;
}

std::vector<TraceMark> TraceBuffer::of(uint64_t run) const {
  std::vector<TraceMark> marks;
  const size_t oldest = ring_.size() < marks_max_ ? 0 : added_ % marks_max_;
  for (size_t i = 0; i < ring_.size(); ++i) {
    const Entry& entry = ring_[(oldest + i) % ring_.size()];
    if (entry.run == run) marks.push_back(entry.mark);
  }
  return marks;
}

}  // namespace capsule
