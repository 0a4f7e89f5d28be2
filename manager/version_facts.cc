#include "manager/version_facts.h"

#include "manager/build_info.h"

namespace capsule {

BuildFacts build_facts() { return {kBuildCommit, kBuildTime}; }

}  // namespace capsule
