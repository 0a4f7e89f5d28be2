// What was built, from what, and when.
#pragma once

#include <string>

namespace capsule {

struct BuildFacts {
  std::string commit;  // "unknown" outside of a checkout; "-dirty" at the end when it was changed
  std::string built_at;
};

BuildFacts build_facts();

}  // namespace capsule
