#include "manager/link/stack_text.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "protocol/limits.h"

namespace capsule {
namespace {

constexpr std::string_view kFrame = "  File \"";
constexpr std::string_view kHelper = "  File \"<_capsule_";  // as the worker names the modules it embeds
constexpr std::string_view kModule = "  File \"<capsule>\"";

}  // namespace

std::string program_stack(std::string_view text) {
  const std::string clean = replace_invalid_utf8(text.substr(0, limits::kStackBytes));
  std::string out, thread;
  bool in_helper = false, has_frames = false;
  for (size_t begin = 0; begin < clean.size();) {
    const size_t end = std::min(clean.find('\n', begin), clean.size());
    const std::string line = clean.substr(begin, end - begin) + "\n";
    begin = end + 1;
    if (line.starts_with(kFrame)) {
      in_helper = line.starts_with(kHelper) || line.starts_with(kModule);
      if (in_helper) continue;
      if (!std::exchange(has_frames, true)) out += thread;
      out += line;
    } else if (line.starts_with("  ")) {  // a source line, or a note such as "<truncated>"
      if (!in_helper && has_frames) out += line;
    } else if (line != "\n") {
      thread = line;
      has_frames = in_helper = false;
    }
  }
  constexpr std::string_view kMore = "...\n";
  if (out.size() > limits::kStackBytes) {
    out.resize(out.rfind('\n', limits::kStackBytes - kMore.size() - 1) + 1);  // whole lines
    out += kMore;
  }
  return out;
}

}  // namespace capsule
