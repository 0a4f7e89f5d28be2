// Which control groups capsules can have here: version 2 where this manager's group is delegated to it, else version 1
// where its groups can be written, else none. May move this process into a group of its own ("supervisor"), because in
// version 2 a group that hands controllers on must hold no process.
#pragma once

#include <string>

#include "manager/cgroup/capsule_cgroup.h"
#include "manager/cgroup/hierarchy.h"
#include "manager/config.h"
#include "protocol/message.h"

namespace capsule {

// `owner` names the groups of this manager, as group_owner() does. Called once, before anything is forked.
CgroupRoot detect_cgroups(const CgroupPlaces& places, CgroupMode mode, const std::string& owner);

// The same with what /proc says of this process.
CgroupRoot detect_cgroups(CgroupMode mode, const std::string& owner);

// "cgroup" as `hello`, verdicts and the doctor name it.
Layer layer_of(const CgroupRoot& root);
Layer no_group(const std::string& why);

// Removes the empty groups of capsules below `root`, and then its own; what is still in use stays.
void remove_groups_of(const CgroupRoot& root);

}  // namespace capsule
