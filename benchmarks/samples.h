// What was measured of one subject, round by round, and what can be said of it. Pure.
#pragma once

#include <cstddef>
#include <vector>

namespace capsule::bench {

enum class Better { kLess, kMore };  // times and sizes; rates

struct Samples {
  std::vector<std::vector<double>> rounds;

  size_t count() const;
  // The value that `share` (0 to 1) of the samples are at least as good as: p90 of a rate is one of its low values.
  // 0 when there is no sample.
  double percentile(double share, Better better) const;
  double median() const { return percentile(0.5, Better::kLess); }
};

// Ratio of two medians with a 95 % interval: whole rounds are drawn anew, so that what slowed a round down slows both
// sides. The same samples give the same interval.
struct Ratio {
  double value = 0, low = 0, high = 0;
};
inline constexpr size_t kRedraws = 1000;
Ratio ratio_of(const Samples& own, const Samples& baseline);

}  // namespace capsule::bench
