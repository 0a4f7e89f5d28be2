// A run that an earlier manager accepted and left without an end, as far as its record knows it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace capsule {

inline constexpr size_t kAbortedRunsTold = 4096;  // one by one; the number has all

struct AbortedRun {
  std::string run_id, request_id, profile;
  uid_t uid = 0;
  int64_t created_ms = 0;
  uint64_t queue_us = 0;  // until it started
  bool has_started = false;
  std::string layers = {};  // of its profile, as in a note
};

}  // namespace capsule
