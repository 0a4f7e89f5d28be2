// Where Python's small objects lie (the arenas of its allocator). In a zygote they go side by side into one range, so
// that a fork finds one mapping instead of dozens. In what is forked of it the first 8 MiB are where the kernel puts
// them, and what is beyond that, the heap of a session that has made something, is side by side in large pages where
// the kernel gives some: a copy of the session copies one entry then where it copied 512 (mm/transhuge.rst in the
// kernel's documentation). Large blocks, of numpy or bytes, are glibc's, which is told the same by the zygote's first
// environment. Not thread-safe beyond what CPython does: it asks with the GIL held.
#pragma once

#include "worker/memory_image.h"

namespace capsule::interpreter {

// Before the interpreter starts. When the range cannot be had, or is full (512 MiB), arenas lie anywhere as ever.
void gather_arenas();
// After the last preload: what is left of the range is given back.
void stop_gathering_arenas();
// What of it was taken.
MemoryArea gathered_arenas();

}  // namespace capsule::interpreter
