// The only room that reads a clock. Everything that decides takes `now` as an argument instead.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace capsule {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Monotonic; for deadlines and durations.
TimePoint now();

// Wall clock in milliseconds since 1970; for people, records and ids only.
int64_t wall_clock_ms();

// Nanoseconds since 1970 by the clock that stamps files (a tick of the kernel behind at most); to compare with st_ctim.
int64_t file_clock_ns();

// "2026-11-22T02:21:00.123Z"
std::string format_utc(int64_t wall_ms);

inline double to_seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
inline int64_t to_microseconds(Duration d) { return std::chrono::duration_cast<microseconds>(d).count(); }
inline int64_t to_milliseconds(Duration d) { return std::chrono::duration_cast<milliseconds>(d).count(); }

}  // namespace capsule
