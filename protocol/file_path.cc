#include "protocol/file_path.h"

#include "base/utf8.h"
#include "protocol/limits.h"

namespace capsule {

Status check_file_path(std::string_view path) {
  const std::string shown = "the path '" + escape_control(replace_invalid_utf8(path.substr(0, 128))) + "' ";
  if (path.empty()) return failure(Errc::kInvalid, "a path is empty");
  if (path.size() > limits::kPathBytes) {
    return failure(Errc::kTooLarge, shown + "... is longer than " + std::to_string(limits::kPathBytes) + " bytes");
  }
  if (path.find('\0') != path.npos) return failure(Errc::kInvalid, shown + "has a NUL in it");
  if (path.front() == '/') return failure(Errc::kInvalid, shown + "is not relative");
  size_t depth = 0;
  for (size_t begin = 0; begin <= path.size(); ++depth) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") {
      return failure(Errc::kInvalid, shown + "has a part that is empty, . or ..");
    }
    begin = end + 1;
  }
  if (depth > limits::kPathDepth) {
    return failure(Errc::kTooLarge, shown + "has more than " + std::to_string(limits::kPathDepth) + " parts");
  }
  return {};
}

}  // namespace capsule
