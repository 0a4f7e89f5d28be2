// The grammar of paths in a workspace, the same for who sends one and who is to believe it.
#pragma once

#include <string_view>

#include "base/result.h"

namespace capsule {

// Relative; parts are not empty, "." or ".."; no NUL; kPathBytes and kPathDepth at most. Else kInvalid or kTooLarge.
Status check_file_path(std::string_view path);

}  // namespace capsule
