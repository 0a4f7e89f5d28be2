// Takes away what a fresh user namespace gives: every capability in it, and the way to gain any by exec.
#pragma once

#include "base/result.h"

namespace capsule::sandbox {

Status drop_capabilities();
Status no_new_privileges();

}  // namespace capsule::sandbox
