// Removes what a program left behind, where it may have done so to annoy: any number of names, directories as deep as
// it liked and closed to their owner, links to anywhere. By descriptors only, and never through a link.
#pragma once

#include <atomic>
#include <string>

#include "base/result.h"

namespace capsule {

// The directory `name` in `parent` and all below it. Its memory and descriptors do not depend on what is there: what is
// deep is moved up first. Time does, so this is for a thread that nobody waits for; `stop` ends it between two names.
// kClosed: stopped. Else an error names what could not be removed; the rest may be gone.
Status remove_tree(int parent, const std::string& name, const std::atomic<bool>& stop);

}  // namespace capsule
