// What a stopped program was doing, for people: the text of a worker, without the frames of Capsule's own helpers.
#pragma once

#include <string>
#include <string_view>

namespace capsule {

// `text` as faulthandler or traceback write it: a line for each thread, "  File \"name\", line 3 in f" for each frame.
// Threads without frames of the program are left out. At most limits::kStackBytes; what is more ends in "...".
std::string program_stack(std::string_view text);

}  // namespace capsule
