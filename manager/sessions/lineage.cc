#include "manager/sessions/lineage.h"

namespace capsule {

const Place* living_parent(const Place& place) {
  const Place* at = place.parent.get();
  while (at != nullptr && at->is_closed) at = at->parent.get();
  return at;
}

bool descends_from(const Place& place, const Place& ancestor) {
  const Place* at = place.parent.get();
  while (at != nullptr && at != &ancestor) at = at->parent.get();
  return at != nullptr;
}

std::vector<std::string> ancestors(const Place& place) {
  std::vector<std::string> names;
  for (const Place* at = place.parent.get(); at != nullptr; at = at->parent.get()) names.push_back(at->name);
  return names;
}

}  // namespace capsule
