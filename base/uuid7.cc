#include "base/uuid7.h"

#include <sys/random.h>

#include <array>
#include <cstdio>
#include <cstring>

namespace capsule {
namespace {
constexpr uint32_t kCounterMax = 0xFFF;  // rand_a of RFC 9562 §5.7, used as the counter of §6.2 method 1
}

std::string Uuid7Generator::next(int64_t wall_ms) {
  if (wall_ms > last_ms_) {
    last_ms_ = wall_ms;
    counter_ = 0;
  } else if (++counter_ > kCounterMax) {
    ++last_ms_;  // a clock that stands still or goes back: borrow from the next millisecond
    counter_ = 0;
  }
  std::array<uint8_t, 8> random{};
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) random.fill(0);
  random[0] = static_cast<uint8_t>((random[0] & 0x3F) | 0x80);
  uint64_t tail = 0;
  for (const uint8_t byte : random) tail = tail << 8 | byte;
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%08x-%04x-7%03x-%04x-%012llx", static_cast<uint32_t>(last_ms_ >> 16),
                static_cast<uint32_t>(last_ms_ & 0xFFFF), counter_, static_cast<uint32_t>(tail >> 48),
                static_cast<unsigned long long>(tail & 0xFFFFFFFFFFFFULL));
  return text.data();
}

}  // namespace capsule
