#include "cli/manager_binary.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace capsule::cli {
namespace {

constexpr const char* kName = "/capsule-manager";

std::string own_directory() {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = readlink("/proc/self/exe", target.data(), target.size());
  if (length <= 0) return {};
  const std::string path(target.data(), static_cast<size_t>(length));
  return path.substr(0, path.rfind('/'));
}

std::string value_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool is_program(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::vector<std::string> manager_candidates(const std::string& own_directory, const std::string& libexec,
                                            const std::string& path) {
  std::vector<std::string> found;
  if (!libexec.empty()) found.push_back(libexec + kName);
  if (!own_directory.empty()) {
    found.push_back(own_directory + kName);
    found.push_back(own_directory + "/../manager" + kName);
    found.push_back(own_directory + "/../libexec/capsule" + kName);
  }
  std::string_view rest = path;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const std::string_view directory = rest.substr(0, colon);
    // An empty or relative entry would take the program from wherever the caller happens to stand.
    if (directory.starts_with('/')) found.push_back(std::string(directory) + kName);
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return found;
}

Result<std::string> find_manager_binary() {
  const auto candidates = manager_candidates(own_directory(), value_of("CAPSULE_LIBEXEC"), value_of("PATH"));
  for (const std::string& candidate : candidates) {
    if (!is_program(candidate)) continue;
    std::error_code error;
    const auto absolute = std::filesystem::canonical(candidate, error);
    return error ? candidate : absolute.string();
  }
  return failure(Errc::kNotFound,
                 "capsule-manager is not installed beside this command; set CAPSULE_LIBEXEC to its directory");
}

}  // namespace capsule::cli
