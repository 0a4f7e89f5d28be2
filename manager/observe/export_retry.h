// When an export is tried again: after what the collector says, else exponentially with full jitter, as
// opentelemetry-proto's docs/specification.md asks for. Pure.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/clock.h"

namespace capsule {

enum class ExportOutcome { kTaken, kRefused, kRetry };

// By the status of an answer (0: there was none). Only these four are retried: what a collector does not understand it
// will not understand later.
constexpr ExportOutcome judge_export(unsigned status) {
  if (status >= 200 && status < 300) return ExportOutcome::kTaken;
  const bool is_passing = status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
  return is_passing ? ExportOutcome::kRetry : ExportOutcome::kRefused;
}

class ExportRetry {
 public:
  static constexpr milliseconds kShortest{100}, kFirst{500};
  static constexpr seconds kLongest{30}, kLongestAsked{600};  // of our own accord; when the collector asks for it

  void succeeded() { failures_ = 0; }
  // `jitter` from 0 to 1: each manager its own, so that they do not all come back at once.
  Duration failed(double jitter, std::optional<seconds> retry_after) {
    const double most_s = std::min(to_seconds(kLongest), to_seconds(kFirst) * std::exp2(failures_));
    failures_ = std::min(failures_ + 1, kFailuresCounted);
    if (retry_after) return std::clamp<Duration>(*retry_after, kShortest, kLongestAsked);
    return std::max<Duration>(kShortest, std::chrono::duration_cast<Duration>(
                                             std::chrono::duration<double>(most_s * std::clamp(jitter, 0.0, 1.0))));
  }

 private:
  static constexpr int kFailuresCounted = 16;
  int failures_ = 0;
};

}  // namespace capsule
