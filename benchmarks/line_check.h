// Whether a stream is one line over and over again, whatever pieces it comes in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace capsule::bench {

class LineCheck {
 public:
  explicit LineCheck(std::string_view line);

  bool feed(std::string_view piece);  // false: some byte is another one
  uint64_t bytes() const { return bytes_; }

 private:
  size_t period_;
  std::string pattern_;  // long enough to compare large pieces at once
  uint64_t bytes_ = 0;
};

}  // namespace capsule::bench
