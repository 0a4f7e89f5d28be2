#include "benchmarks/line_check.h"

#include <algorithm>

namespace capsule::bench {
namespace {

constexpr size_t kPatternBytes = 64u << 10;

}  // namespace

LineCheck::LineCheck(std::string_view line) : period_(line.size()) {
  while (period_ > 0 && pattern_.size() < period_ + kPatternBytes) pattern_ += line;
}

bool LineCheck::feed(std::string_view piece) {
  if (period_ == 0) return piece.empty();
  while (!piece.empty()) {
    const size_t at = static_cast<size_t>(bytes_ % period_);
    const size_t size = std::min(piece.size(), pattern_.size() - at);
    if (piece.substr(0, size) != std::string_view(pattern_).substr(at, size)) return false;
    bytes_ += size;
    piece.remove_prefix(size);
  }
  return true;
}

}  // namespace capsule::bench
