#include "manager/directories.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace capsule {
namespace fs = std::filesystem;
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::string own_temporary() { return "/tmp/capsule-" + std::to_string(geteuid()); }

// $<xdg>/capsule, ~/<below_home>/capsule, or a directory of our own under /tmp.
fs::path user_directory(const char* xdg, const char* below_home, const char* name) {
  if (const std::string value = variable(xdg); !value.empty()) return fs::path(value) / "capsule";
  if (const std::string home = variable("HOME"); !home.empty()) return fs::path(home) / below_home / "capsule";
  return fs::path(own_temporary()) / name;
}

std::string made(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  return error ? std::string() : directory.string();
}

}  // namespace

std::string default_socket() {
  if (geteuid() == 0) return "/run/capsule/capsule.sock";
  if (const std::string runtime = variable("XDG_RUNTIME_DIR"); !runtime.empty()) return runtime + "/capsule/capsule.sock";
  return own_temporary() + "/capsule.sock";
}

std::string make_scratch_dir(const std::string& state_dir) {
  if (!state_dir.empty()) return made(fs::path(state_dir) / "scratch");
  if (const std::string systemd = variable("STATE_DIRECTORY"); !systemd.empty()) return made(fs::path(systemd) / "scratch");
  if (geteuid() == 0) return made("/var/lib/capsule/scratch");
  return made(user_directory("XDG_STATE_HOME", ".local/state", "state") / "scratch");
}

std::string make_cache_dir(unsigned worker_user) {
  const std::string systemd = variable("CACHE_DIRECTORY");
  const fs::path base = !systemd.empty()   ? fs::path(systemd)
                        : geteuid() == 0 ? fs::path("/var/cache/capsule")
                                         : user_directory("XDG_CACHE_HOME", ".cache", "cache");
  const std::string directory = made(base / "matplotlib");
  if (!directory.empty() && worker_user != 0 && chown(directory.c_str(), worker_user, worker_user) != 0) return {};
  return directory;
}

}  // namespace capsule
