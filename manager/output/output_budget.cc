#include "manager/output/output_budget.h"

#include <algorithm>
#include <cassert>

namespace capsule {

Admission OutputBudget::take(Stream stream, std::string_view data) {
  assert(!data.empty() && data.size() <= limits::kOutputChunkBytes);
  const uint64_t written_before = stdout_bytes_ + stderr_bytes_;
  uint64_t& stream_bytes = stream == Stream::kStdout ? stdout_bytes_ : stderr_bytes_;

  Admission admission;
  admission.offset = stream_bytes;
  admission.forward = data.size();
  if (policy_ != OutputPolicy::kBlock) {
    const uint64_t room = max_bytes_ - std::min(max_bytes_, written_before);
    admission.forward = static_cast<size_t>(std::min<uint64_t>(data.size(), room));
  }
  admission.drop = data.size() - admission.forward;
  admission.stop_run = policy_ == OutputPolicy::kStop && admission.drop != 0 && dropped_bytes_ == 0;
  if (admission.forward != 0) admission.seq = chunks_++;

  stream_bytes += data.size();
  forwarded_bytes_ += admission.forward;
  dropped_bytes_ += admission.drop;
  remember(data);
  return admission;
}

void OutputBudget::remember(std::string_view data) {
  constexpr size_t kKept = limits::kLastOutputBytes;
  if (data.size() > kKept) data.remove_prefix(data.size() - kKept);
  tail_.append(data);
  // Cut only when twice the size is reached, so that small writes do not move the tail each time.
  if (tail_.size() > 2 * kKept) tail_.erase(0, tail_.size() - kKept);
}

std::string_view OutputBudget::last_output() const {
  std::string_view tail = tail_;
  if (tail.size() > limits::kLastOutputBytes) tail.remove_prefix(tail.size() - limits::kLastOutputBytes);
  return tail;
}

void OutputBudget::note_queued(uint64_t bytes) { deepest_queue_bytes_ = std::max(deepest_queue_bytes_, bytes); }

OutputCount OutputBudget::count() const {
  OutputCount count;
  count.stdout_bytes = stdout_bytes_;
  count.stderr_bytes = stderr_bytes_;
  count.enqueued_bytes = forwarded_bytes_;
  count.dropped_bytes = dropped_bytes_;
  count.chunks = chunks_;
  count.deepest_queue_bytes = deepest_queue_bytes_;
  return count;
}

bool OutputBacklog::may_read(uint64_t queued_bytes) {
  deepest_bytes_ = std::max(deepest_bytes_, queued_bytes);
  if (blocked_) {
    blocked_ = queued_bytes > max_bytes_ / 2;
  } else if (queued_bytes >= max_bytes_) {
    blocked_ = true;
    ++times_blocked_;
  }
  return !blocked_;
}

}  // namespace capsule
