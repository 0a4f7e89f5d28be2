#include "base/clock.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "base/fine_clock.h"

namespace capsule {

TimePoint now() { return Clock::now(); }

int64_t wall_clock_ms() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(since_epoch).count();
}

int64_t wall_clock_us() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<microseconds>(since_epoch).count();
}

int64_t file_clock_ns() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME_COARSE, &time);  // what the kernel stamps inodes with
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

std::string format_utc(int64_t wall_ms) {
  const std::time_t whole = static_cast<std::time_t>(wall_ms / 1000);
  std::tm parts{};
  gmtime_r(&whole, &parts);
  std::array<char, 40> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%s.%03dZ", date.data(), static_cast<int>(wall_ms % 1000));
  return text.data();
}

}  // namespace capsule
