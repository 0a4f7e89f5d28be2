// Where log lines go: stderr, whose reader may be slow, stuck or gone. A line waits until it is taken; once the sink is
// to close, only for kCloseTime more. A line that is not taken is lost and counted.
//
// One thread writes; closing and counting is for any.
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace capsule {

class LogSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  static constexpr milliseconds kCloseTime{500};

  void begin_to_close() { close_at_us_ = to_microseconds((now() + kCloseTime).time_since_epoch()); }
  uint64_t lost() const { return lost_; }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}

 private:
  bool wait_writable() const;

  std::atomic<int64_t> close_at_us_{0};  // monotonic; 0: stays open
  std::atomic<uint64_t> lost_{0};
};

}  // namespace capsule
