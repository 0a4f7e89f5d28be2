// Watches what one run uses of processor time and memory, and tells when it passed a limit. The decision is
// LimitWatch's; this reads the counters and keeps the timer. What the kernel bounds by itself is not watched, but for
// what the run's session can give up first: snapshots are charged to their capsule, and go when memory is nearly out.
#pragma once

#include <functional>
#include <memory>

#include "manager/link/limit_watch.h"
#include "manager/link/run_ending.h"
#include "manager/link/spare_memory.h"
#include "manager/pool/capsule_process.h"

namespace capsule {

class LimitGuard {
 public:
  using Hit = std::function<void(StopReason)>;

  LimitGuard(Loop& loop, std::shared_ptr<CapsuleProcess> capsule, const RunLimits& limits, SpareMemory spare, Hit hit);

  void start();
  void stop();
  // Since start(), of every process in the capsule.
  uint64_t oom_kills() const;
  // Of the capsule's whole life; nullopt without a control group.
  std::optional<uint64_t> peak_memory_bytes() const { return capsule_->usage(MemoryCount::kRough).peak_bytes; }

 private:
  static WatchedLimits watched(CapsuleProcess& capsule, const RunLimits& limits);
  void look();
  void arm();
  void give_way(uint64_t used_bytes);
  LimitReadings read(MemoryCount count) const;

  std::shared_ptr<CapsuleProcess> capsule_;
  const uint64_t memory_bytes_;
  LimitWatch watch_;
  LimitWatch spare_watch_{{}};  // its limit is nearly reached; without work when there is nothing to give up
  SpareMemory spare_;
  Hit hit_;
  Timer timer_;
  CapsuleUsage at_start_;
};

}  // namespace capsule
