// Files of the source tree that tests read. meson passes the root as CAPSULE_SOURCE_ROOT; by hand it is the current
// directory.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace capsule {

inline std::string source_path(const std::string& relative) {
  const char* root = std::getenv("CAPSULE_SOURCE_ROOT");
  return std::string(root == nullptr ? "." : root) + "/" + relative;
}

inline std::optional<std::string> read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

}  // namespace capsule
