// `trace`: the document of the manager as a waterfall. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace capsule::cli {

enum class Colour { kOff, kOn };

struct TraceLook {
  size_t columns = 80;  // of the terminal
  Colour colour = Colour::kOff;
};

// No line is wider than the terminal, unless that has fewer than kTraceColumns.
inline constexpr size_t kTraceColumns = 70;
Result<std::string> render_trace(std::string_view json, const TraceLook& look);

// NO_COLOR (no-color.org) and TERM=dumb turn it off; either may be null.
Colour colour_for(bool is_terminal, const char* no_color, const char* term);

}  // namespace capsule::cli
