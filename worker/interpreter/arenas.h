// Where Python's small objects lie (the arenas of its allocator). In a zygote they go side by side into one range, so
// that a fork finds one mapping instead of dozens; from then on each is where the kernel puts it.
// Not thread-safe beyond what CPython does: it asks with the GIL held.
#pragma once

namespace capsule::interpreter {

// Before the interpreter starts. When the range cannot be had, or is full (512 MiB), arenas lie anywhere as ever.
void gather_arenas();
// After the last preload: what is left of the range is given back.
void stop_gathering_arenas();

}  // namespace capsule::interpreter
