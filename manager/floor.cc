#include "manager/floor.h"

#include <algorithm>
#include <span>

namespace capsule {
namespace {

constexpr const char* kDegraded[] = {"seccomp", "no_new_privs", "capabilities"};
constexpr const char* kStandard[] = {"seccomp", "no_new_privs", "capabilities", "kill_guard",
                                     "pidns",   "netns",        "userns",       "id_maps"};

const Layer* find(const std::vector<Layer>& layers, std::string_view name) {
  const auto found = std::find_if(layers.begin(), layers.end(), [&](const Layer& layer) { return layer.name == name; });
  return found == layers.end() ? nullptr : &*found;
}

bool is_on(const std::vector<Layer>& layers, std::string_view name) {
  const Layer* layer = find(layers, name);
  return layer != nullptr && layer->state == "on";
}

void add_missing(std::span<const char* const> names, const std::vector<Layer>& layers, std::vector<std::string>& to) {
  for (const char* name : names) {
    if (!is_on(layers, name)) to.emplace_back(name);
  }
}

}  // namespace

std::vector<std::string> missing_layers(Floor floor, const std::vector<Layer>& layers) {
  std::vector<std::string> missing;
  if (floor == Floor::kUnsafe) return missing;
  if (floor == Floor::kDegraded) add_missing(kDegraded, layers, missing);
  if (floor != Floor::kDegraded) add_missing(kStandard, layers, missing);
  if (!is_on(layers, "root") && !is_on(layers, "landlock")) {
    missing.emplace_back("root");
    missing.emplace_back("landlock");
  }
  if (floor != Floor::kStrict) return missing;
  for (const Layer& layer : layers) {
    if (layer.state != "on" && std::find(missing.begin(), missing.end(), layer.name) == missing.end()) {
      missing.push_back(layer.name);
    }
  }
  return missing;
}

Status check_floor(Floor floor, const std::vector<Layer>& layers) {
  const std::vector<std::string> missing = missing_layers(floor, layers);
  if (missing.empty()) return {};
  std::string text = "sandbox.floor = " + std::string(to_string(floor)) + " is not met:";
  for (const std::string& name : missing) {
    const Layer* layer = find(layers, name);
    text += (name == missing.front() ? " " : "; ") + name;
    if (layer != nullptr && !layer->detail.empty()) text += " (" + layer->detail + ")";
  }
  return failure(Errc::kRefused, text);
}

Floor floor_of(const std::vector<Layer>& layers) {
  for (const Floor floor : {Floor::kStrict, Floor::kStandard, Floor::kDegraded}) {
    if (missing_layers(floor, layers).empty()) return floor;
  }
  return Floor::kUnsafe;
}

}  // namespace capsule
