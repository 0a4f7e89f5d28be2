// From options to an exit status: what `run` and `exec` have in common.
#pragma once

#include "cli/connect.h"
#include "cli/run_request.h"

namespace capsule::cli {

int run_to_end(const RunOptions& options, WhenNobodyListens policy);

}  // namespace capsule::cli
