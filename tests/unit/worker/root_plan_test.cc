// What of the host a capsule gets to see, from the facts of different hosts.
#include "worker/sandbox/root_plan.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace capsule::sandbox {
namespace {

HostFacts merged_host() {
  return {.links = {{"/bin", "usr/bin"}, {"/lib64", "usr/lib64"}},
          .is_directory = {{"/usr", true}, {"/etc/ld.so.cache", false}, {"/dev/null", false}}};
}

const RootPlan::Bind* find(const RootPlan& plan, std::string_view target) {
  const auto found =
      std::find_if(plan.binds.begin(), plan.binds.end(), [&](const auto& bind) { return bind.target == target; });
  return found == plan.binds.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("links of a merged /usr are made again, not shown") {
  const RootPlan plan = plan_root({}, merged_host());
  CHECK(plan.links.at("/bin") == "usr/bin");
  CHECK(find(plan, "/bin") == nullptr);
}

TEST_CASE("on a host without merged /usr the directories themselves are shown") {
  const RootPlan plan = plan_root({}, {.links = {}, .is_directory = {{"/usr", true}, {"/bin", true}}});
  REQUIRE(find(plan, "/bin") != nullptr);
  CHECK(find(plan, "/bin")->access == Access::kPrograms);
}

TEST_CASE("what is not there is left out") {
  const RootPlan plan = plan_root({}, merged_host());
  CHECK(find(plan, "/etc/fonts") == nullptr);
  CHECK(find(plan, "/etc/ld.so.cache")->kind == Kind::kFile);
}

TEST_CASE("a host's secrets and names are in no plan") {
  HostFacts host = merged_host();
  for (const char* path : {"/etc/shadow", "/etc/machine-id", "/etc/hostname", "/root", "/home", "/var", "/run"}) {
    host.is_directory[path] = true;
  }
  const RootPlan plan = plan_root({}, host);
  for (const auto& bind : plan.binds) {
    INFO(bind.source);
    CHECK((bind.source == "/usr" || bind.source == "/dev/null" || bind.source == "/etc/ld.so.cache"));
  }
}

TEST_CASE("only devices are shown as they are") {
  for (const auto& bind : plan_root({}, look_at_host()).binds) {
    INFO(bind.target);
    CHECK((bind.access == Access::kDevice) == bind.target.starts_with("/dev/"));
  }
}

TEST_CASE("packages keep their path, and those below /usr need no mount of their own") {
  Policy policy;
  policy.packages = {"/opt/venv/lib/python3.11/site-packages", "/usr/lib/python3/dist-packages"};
  const RootPlan plan = plan_root(policy, merged_host());
  CHECK(find(plan, "/opt/venv/lib/python3.11/site-packages") != nullptr);
  CHECK(find(plan, "/usr/lib/python3/dist-packages") == nullptr);
}

TEST_CASE("data of a profile is mounted where it wants it, with nothing to execute") {
  Policy policy;
  policy.mounts = {{"/srv/data", "/data"}};
  const RootPlan plan = plan_root(policy, merged_host());
  REQUIRE(find(plan, "/data") != nullptr);
  CHECK(find(plan, "/data")->source == "/srv/data");
  CHECK(find(plan, "/data")->access == Access::kData);
}

TEST_CASE("each scratch place has the size the profile gives it") {
  Policy policy;
  policy.workspace_bytes = 1, policy.tmp_bytes = 2, policy.shm_bytes = 3, policy.workspace_files = 4;
  const RootPlan plan = plan_root(policy, merged_host());
  REQUIRE(plan.scratch.size() == 3);
  for (const auto& scratch : plan.scratch) {
    CHECK(scratch.files == 4);
    CHECK(scratch.bytes == (scratch.target == kWorkspace ? 1 : scratch.target == "/var/tmp" ? 2 : 3));
  }
}

TEST_CASE("a capsule's user has a name") {
  for (const auto& file : identity_files({61003, 61003})) CHECK(file.text.find(":61003:") != std::string::npos);
}

}  // namespace capsule::sandbox
