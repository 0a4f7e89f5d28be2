// Who is a fork of whom. Names come again once their session is closed, so descent goes from place to place: each
// session has one, and keeps those of its ancestors, which say whether anybody lives there still.
//
// On the loop's thread. A chain has at most CapsuleProcess::kForkDepthMax ancestors.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace capsule {

struct Place;
using PlacePtr = std::shared_ptr<Place>;

struct Place {
  std::string name;
  PlacePtr parent = {};
  bool is_closed = false;
};

// The nearest ancestor that lives; null: there is none.
const Place* living_parent(const Place& place);
bool descends_from(const Place& place, const Place& ancestor);
// Nearest first, also those that were closed.
std::vector<std::string> ancestors(const Place& place);

}  // namespace capsule
