// What is in a workspace, as far as the limits go. Directories are entered through open directories only; a program
// that renames them meanwhile changes what is found, never where.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace capsule {

struct WalkLimits {
  size_t entries_max = 0;  // found and skipped together
  size_t looks_max = 0;    // names read, directories included
  uint64_t file_bytes_max = 0;
  Duration time_max{};
};

struct Found {
  std::string path;
  struct stat facts {};
  std::string skipped;  // why it cannot be read; empty when it can
};

struct Walk {
  std::vector<Found> found;
  std::string incomplete;  // the limit that ended it; empty: none did
};

using Wanted = std::function<bool(const std::string& path, const struct stat& facts)>;

// Below `path` (empty: all). Deeper than kPathDepth and longer than kPathBytes is skipped, with the reason.
Result<Walk> walk_files(int root, std::string_view path, const WalkLimits& limits, const Wanted& wanted);

}  // namespace capsule
