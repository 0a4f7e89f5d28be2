// Profiles of the manager itself, as google-pprof and `go tool pprof` read them. Only in a build with -Dpprof=true,
// which links gperftools; else everything here says kUnavailable.
//
// On the loop's thread. One CPU profile at a time; the timer that takes samples does not run in zygotes, for no timer
// survives a fork.
#pragma once

#include <string>

#include "base/result.h"

namespace capsule::profiler {

bool is_built_in();
// First thing in a process, so that what is allocated is sampled (about every 512 KiB).
void prepare();

// kConflict: one is under way.
Status start_cpu();
Result<std::string> stop_cpu();

// What is allocated and not freed.
Result<std::string> heap();

}  // namespace capsule::profiler
