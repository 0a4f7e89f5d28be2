// What the doctor says to do, from what a machine says of itself.
#include "worker/doctor/fixes.h"

#include <catch2/catch.hpp>
#include <map>

namespace capsule::doctor {
namespace {

Machine machine(std::map<std::string, long> settings = {}) {
  return {[settings = std::move(settings)](const std::string& name) {
            const auto found = settings.find(name);
            return found == settings.end() ? -1 : found->second;
          },
          "/srv/capsule/bin/capsule-worker"};
}

bool names(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("there is something to do about each layer") {
  for (const char* layer :
       {"descriptors", "environment", "userns", "pidns", "mountns", "netns", "ipcns", "utsns", "id_maps", "root",
        "proc", "capabilities", "no_new_privs", "dumpable", "rlimits", "landlock", "seccomp", "kill_guard"}) {
    INFO(layer);
    CHECK_FALSE(fix_for(layer, machine()).empty());
  }
}

TEST_CASE("a kind of namespace that its own setting forbids is allowed by that setting") {
  for (const auto& [layer, kind] : std::map<std::string, std::string>{{"pidns", "pid"},
                                                                      {"mountns", "mnt"},
                                                                      {"root", "mnt"},
                                                                      {"proc", "mnt"},
                                                                      {"netns", "net"},
                                                                      {"ipcns", "ipc"},
                                                                      {"utsns", "uts"}}) {
    INFO(layer);
    CHECK(fix_for(layer, machine({{"user/max_" + kind + "_namespaces", 0}})) ==
          "sysctl -w user.max_" + kind + "_namespaces=15000");
    CHECK_FALSE(names(fix_for(layer, machine({{"user/max_" + kind + "_namespaces", 100}})), "max_" + kind));
  }
}

TEST_CASE("where user namespaces are refused, whoever refuses them is named") {
  for (const char* layer : {"userns", "pidns", "id_maps", "root"}) {
    INFO(layer);
    CHECK(fix_for(layer, machine({{"user/max_user_namespaces", 0}})) == "sysctl -w user.max_user_namespaces=15000");
    CHECK(fix_for(layer, machine({{"kernel/unprivileged_userns_clone", 0}})) ==
          "sysctl -w kernel.unprivileged_userns_clone=1");
    CHECK(names(fix_for(layer, machine()), "in a container"));
  }
}

TEST_CASE("the profile of AppArmor is for the program that asks") {
  const std::string fix = fix_for("userns", machine({{"kernel/apparmor_restrict_unprivileged_userns", 1}}));
  CHECK(names(fix, "profile capsule-worker \"/srv/capsule/bin/capsule-worker\" flags=(unconfined) {"));
  CHECK(names(fix, "userns,"));
  CHECK(names(fix, "apparmor_parser -r"));
}

TEST_CASE("this machine knows its settings and its program") {
  CHECK(this_machine().setting("user/max_user_namespaces") >= 0);
  CHECK(this_machine().setting("user/no_such_setting") == -1);
  CHECK(names(this_machine().worker_program, "worker_tests"));
}

}  // namespace capsule::doctor
