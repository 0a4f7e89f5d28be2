#include "benchmarks/places.h"

#include <filesystem>
#include <system_error>

namespace capsule::bench {

std::string built(const std::string& path) {
  std::error_code ignored;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return (own.parent_path().parent_path() / path).string();
}

std::string script(const std::string& name) { return std::string(CAPSULE_BENCH_SOURCES) + "/" + name; }

}  // namespace capsule::bench
