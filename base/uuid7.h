// Time-ordered ids (RFC 9562, version 7): 48 bits of milliseconds, 12 bits of counter, 62 random bits.
#pragma once

#include <cstdint>
#include <string>

namespace capsule {

// Not thread-safe: one generator belongs to one thread. Ids of one generator are strictly increasing.
class Uuid7Generator {
 public:
  std::string next(int64_t wall_ms);

 private:
  int64_t last_ms_ = 0;
  uint32_t counter_ = 0;
};

}  // namespace capsule
