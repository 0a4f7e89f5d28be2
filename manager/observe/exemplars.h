// The latest run that fell into each bucket of a histogram, by its trace: prometheus-cpp 1.0.1 keeps none. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace capsule {

struct Exemplar {
  double value = 0;
  std::string trace_id;  // empty: there is none
  int64_t wall_ms = 0;
};

class BucketExemplars {
 public:
  // `bounds` are the upper ones, in order, without infinity.
  explicit BucketExemplars(std::vector<double> bounds) : bounds_(std::move(bounds)), latest_(bounds_.size() + 1) {}

  // Without a trace id nothing is noted: the trace is not kept anywhere.
  void note(double value, std::string_view trace_id, int64_t wall_ms) {
    if (trace_id.empty()) return;
    const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    latest_[static_cast<size_t>(bucket)] = {value, std::string(trace_id), wall_ms};
  }
  const Exemplar* at(size_t bucket) const {
    return bucket < latest_.size() && !latest_[bucket].trace_id.empty() ? &latest_[bucket] : nullptr;
  }

 private:
  std::vector<double> bounds_;
  std::vector<Exemplar> latest_;  // one for each bucket, that of infinity last
};

// By the name of the histogram, which has no labels.
using Exemplars = std::map<std::string, const BucketExemplars*, std::less<>>;

}  // namespace capsule
