// Which layers each floor asks for.
#include "manager/floor.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace capsule {
namespace {

const std::vector<std::string> kAll{"userns",       "pidns",        "mountns",  "netns",   "id_maps",    "root",
                                    "capabilities", "no_new_privs", "landlock", "seccomp", "kill_guard", "cgroup"};

std::vector<Layer> layers_without(const std::vector<std::string>& off) {
  std::vector<Layer> layers;
  for (const std::string& name : kAll) {
    const bool is_off = std::find(off.begin(), off.end(), name) != off.end();
    layers.push_back({name, is_off ? "off" : "on", is_off ? "taken away" : ""});
  }
  return layers;
}

}  // namespace

TEST_CASE("strict asks for every layer that is known, by name") {
  CHECK(check_floor(Floor::kStrict, layers_without({})));
  CHECK(missing_layers(Floor::kStrict, layers_without({"cgroup"})) == std::vector<std::string>{"cgroup"});
}

TEST_CASE("standard does without control groups, and without one of root and Landlock") {
  CHECK(check_floor(Floor::kStandard, layers_without({"cgroup"})));
  CHECK(check_floor(Floor::kStandard, layers_without({"root", "mountns"})));
  CHECK(check_floor(Floor::kStandard, layers_without({"landlock"})));
  CHECK_FALSE(check_floor(Floor::kStandard, layers_without({"root", "landlock"})));
}

TEST_CASE("standard wants own processes, an own network, and guarded signals") {
  for (const char* name : {"pidns", "netns", "userns", "id_maps", "kill_guard", "seccomp", "no_new_privs"}) {
    INFO(name);
    CHECK(missing_layers(Floor::kStandard, layers_without({name})) == std::vector<std::string>{name});
  }
}

TEST_CASE("degraded does without namespaces, not without files kept apart or a filter") {
  const std::vector<std::string> none{"userns", "pidns", "mountns", "netns", "id_maps", "root", "kill_guard"};
  CHECK(check_floor(Floor::kDegraded, layers_without(none)));
  auto and_landlock = none;
  and_landlock.emplace_back("landlock");
  CHECK_FALSE(check_floor(Floor::kDegraded, layers_without(and_landlock)));
  CHECK_FALSE(check_floor(Floor::kDegraded, layers_without({"seccomp"})));
}

TEST_CASE("unsafe takes anything") { CHECK(check_floor(Floor::kUnsafe, {})); }

TEST_CASE("a layer nobody speaks of is not there, and a degraded one does not count") {
  CHECK_FALSE(check_floor(Floor::kStandard, {}));
  auto layers = layers_without({});
  layers[3].state = "degraded";
  CHECK(missing_layers(Floor::kStandard, layers) == std::vector<std::string>{"netns"});
}

TEST_CASE("the error names what is missing and why") {
  const Status held = check_floor(Floor::kStandard, layers_without({"netns"}));
  REQUIRE_FALSE(held);
  CHECK(held.error().message == "sandbox.floor = standard is not met: netns (taken away)");
}

TEST_CASE("the best floor is the highest that holds") {
  CHECK(floor_of(layers_without({})) == Floor::kStrict);
  CHECK(floor_of(layers_without({"cgroup"})) == Floor::kStandard);
  CHECK(floor_of(layers_without({"netns"})) == Floor::kDegraded);
  CHECK(floor_of(layers_without({"seccomp"})) == Floor::kUnsafe);
}

}  // namespace capsule
