#include "benchmarks/samples.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <random>

namespace capsule::bench {
namespace {

constexpr unsigned kSeed = 20240229;

double median_of(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);  // as percentile() has it
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double median_of_rounds(const Samples& samples, const std::vector<size_t>& drawn) {
  std::vector<double> values;
  for (const size_t round : drawn) {
    const auto& each = samples.rounds[round % samples.rounds.size()];
    values.insert(values.end(), each.begin(), each.end());
  }
  return median_of(values);
}

}  // namespace

size_t Samples::count() const {
  size_t sum = 0;
  for (const auto& round : rounds) sum += round.size();
  return sum;
}

double Samples::percentile(double share, Better better) const {
  assert(share >= 0 && share <= 1);
  std::vector<double> values;
  for (const auto& round : rounds) values.insert(values.end(), round.begin(), round.end());
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  if (better == Better::kMore) std::reverse(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[rank == 0 ? 0 : rank - 1];
}

Ratio ratio_of(const Samples& own, const Samples& baseline) {
  const double below = baseline.median();
  if (below <= 0 || own.rounds.empty()) return {};
  const double value = own.median() / below;
  const size_t rounds = std::min(own.rounds.size(), baseline.rounds.size());
  std::mt19937 random(kSeed);
  std::uniform_int_distribution<size_t> pick(0, rounds - 1);
  std::vector<double> ratios;
  std::vector<size_t> drawn(rounds);
  for (size_t i = 0; i < kRedraws; ++i) {
    for (size_t& each : drawn) each = pick(random);
    const double divisor = median_of_rounds(baseline, drawn);
    if (divisor > 0) ratios.push_back(median_of_rounds(own, drawn) / divisor);
  }
  if (ratios.empty()) return {value, value, value};
  std::sort(ratios.begin(), ratios.end());
  return {value, ratios[ratios.size() * 25 / 1000], ratios[ratios.size() * 975 / 1000]};
}

}  // namespace capsule::bench
