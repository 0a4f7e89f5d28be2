// Descriptor hygiene: a process keeps the standard three and the one it was given.
#pragma once

namespace capsule::sandbox {

// Closes everything above stderr but `keep`. Async-signal-safe.
void close_all_but(int keep);

}  // namespace capsule::sandbox
