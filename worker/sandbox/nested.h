// A capsule inside another one: where the copy of a live session lives. It has namespaces of its own below its
// parent's, whose root it keeps; over everything that can be written there comes an empty place of its own with a copy
// of the files. Landlock's rules, which the copied worker brings along, hold for what is mounted over them too: the
// kernel asks for the rules of a place all the way up to the root.
#pragma once

#include <vector>

#include "worker/sandbox/layers.h"
#include "worker/sandbox/tree_fingerprint.h"

namespace capsule::sandbox {

// What a worker has to enter, in the order in which it can: the user namespace, which gives the right to the others,
// first; what is not among `namespaces` left out.
std::vector<uint64_t> namespaces_to_enter(parked::Namespaces namespaces);

// The keeper's part, right after it was cloned. What its programs cannot have from the parent's files is in `left_out`.
struct NestedLayers {
  CapsuleLayers capsule;
  Status ready;
  std::vector<std::string> left_out;
  std::vector<CopiedPlace> places;
};
NestedLayers enter_nested_capsule(const Recipe& recipe, const CapsuleRequest& request, UniqueFd ruleset);

// Of this process, in the same order.
Result<std::vector<UniqueFd>> open_own_namespaces(parked::Namespaces namespaces);

}  // namespace capsule::sandbox
