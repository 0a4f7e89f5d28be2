// What two ends agree on: one number for the grammar, and a set of words for everything that can be had or not.
// New behaviour gets a feature word; the number changes only when old frames would be read wrongly.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

namespace capsule {

inline constexpr int kProtocolVersion = 1;
inline constexpr int kOldestProtocolVersion = 1;

using Features = std::vector<std::string>;  // sorted, unique

// The features this build has. Sorted.
inline Features own_features() { return {"branches", "display", "files", "input-credit", "interrupt", "sessions"}; }

inline bool version_is_supported(int version) {
  return version >= kOldestProtocolVersion && version <= kProtocolVersion;
}

inline Features common_features(const Features& ours, Features theirs) {
  std::sort(theirs.begin(), theirs.end());
  Features both;
  std::set_intersection(ours.begin(), ours.end(), theirs.begin(), theirs.end(), std::back_inserter(both));
  return both;
}

}  // namespace capsule
