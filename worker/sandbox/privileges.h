// Takes away what a fresh user namespace gives: every capability in it, and the way to gain any by exec.
#pragma once

#include "base/result.h"

namespace capsule::sandbox {

Status drop_capabilities();
// Those it has; the set that bounds what exec may give stays, which without new privileges gives nothing.
Status give_up_capabilities();
Status no_new_privileges();

// Whether processes of the same user may trace it and read its /proc.
enum class Dumpable { kNo, kYes };
Status set_dumpable(Dumpable dumpable);

}  // namespace capsule::sandbox
