// Copies what is below one directory into another, for a capsule that begins as a copy of another one. Never leaves
// either tree: everything is opened by its name in a directory that is open, and links are made again, not followed.
// Regular files (with holes, mode and time), directories and links; sockets, pipes and what cannot be read are left out
// and named. Several names of one file become files of their own.
//
// Limits: kCopyDepthMax directories deep; the destination's own size and number of files. Programs may change the
// source meanwhile: what is copied is then of before or after, a file at a time.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace capsule::sandbox {

inline constexpr int kCopyDepthMax = 128;
inline constexpr size_t kLeftOutNamed = 16;

// Both are open directories; both stay open.
Status copy_tree(int from, int to, std::vector<std::string>& left_out);

}  // namespace capsule::sandbox
