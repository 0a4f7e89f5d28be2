// A zygote's free memory between its objects, taken out of use: what its children allocate is then side by side in new
// pages, where it else would be scattered over the holes of the whole heap, one page copied for each (a keeper's few
// hundred texts and descriptors were on 60 pages). The holes are the zygote's to waste: there is one of it for all.
#pragma once

#include <cstddef>

namespace capsule {

// Of the main arena of glibc's malloc; the calling thread's cached blocks included. To be called last of all that
// allocates for good. Gives the number of blocks that were put into holes; 0 with another malloc.
size_t fill_heap_holes();

}  // namespace capsule
