// A directory of ours at a place where others may have been first: below /tmp everybody can make names.
#pragma once

#include <string>

#include "base/result.h"

namespace capsule {

// Makes it (0700; parents as usual), or finds it there, ours or root's and not to be written to by others: whoever can
// write to it could put something of his own in the place of ours. A link counts only if it is ours or root's, too.
// kRefused: it is somebody else's.
Status make_own_directory(const std::string& path);

}  // namespace capsule
