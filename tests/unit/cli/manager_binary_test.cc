#include "cli/manager_binary.h"

#include <catch2/catch.hpp>

namespace capsule::cli {

TEST_CASE("the manager is looked for where it was said, beside this command, then in PATH", "[cli]") {
  CHECK(manager_candidates("/opt/bin", "/lib/capsule", "/usr/bin:/bin") ==
        std::vector<std::string>{"/lib/capsule/capsule-manager", "/opt/bin/capsule-manager",
                                 "/opt/bin/../manager/capsule-manager", "/opt/bin/../libexec/capsule/capsule-manager",
                                 "/usr/bin/capsule-manager", "/bin/capsule-manager"});
}

TEST_CASE("relative and empty entries of PATH are not searched", "[cli]") {
  CHECK(manager_candidates("", "", ":bin:.:/bin:") == std::vector<std::string>{"/bin/capsule-manager"});
  CHECK(manager_candidates("", "", "").empty());
}

}  // namespace capsule::cli
