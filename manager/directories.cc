#include "manager/directories.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "manager/files/own_directory.h"
#include "manager/observe/log.h"

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

// The first of the places that exists or can be made, and that we can write to. Where everybody can make names, it has
// to be ours.
std::string made(const std::vector<fs::path>& places) {
  for (const fs::path& place : places) {
    std::error_code error;
    if (place.string().starts_with(own_temporary() + "/")) {
      if (const Status ours = make_own_directory(own_temporary()); !ours) {
        log_warning("a directory is not used", {{"path", place.string()}, {"error", ours.error().message}});
        continue;
      }
    }
    fs::create_directories(place, error);
    if (!error && access(place.c_str(), W_OK | X_OK) == 0) return place.string();
  }
  return {};
}

}  // namespace

std::string default_socket() {
  if (geteuid() == 0) return "/run/capsule/capsule.sock";
  if (const std::string runtime = variable("XDG_RUNTIME_DIR"); !runtime.empty())
    return runtime + "/capsule/capsule.sock";
  return own_temporary() + "/capsule.sock";
}

namespace {
std::string make_state_dir(const std::string& state_dir, const char* name) {
  if (!state_dir.empty()) return made({fs::path(state_dir) / name});
  std::vector<fs::path> places;
  if (const std::string systemd = variable("STATE_DIRECTORY"); !systemd.empty()) places.emplace_back(systemd);
  if (geteuid() == 0) places.emplace_back("/var/lib/capsule");
  places.push_back(user_directory("XDG_STATE_HOME", ".local/state", "state"));
  for (fs::path& place : places) place /= name;
  return made(places);
}
}  // namespace

std::string make_scratch_dir(const std::string& state_dir) { return make_state_dir(state_dir, "scratch"); }
std::string make_checkpoint_dir(const std::string& state_dir) { return make_state_dir(state_dir, "checkpoints"); }
std::string make_records_dir(const std::string& state_dir) { return make_state_dir(state_dir, "records"); }

std::string audit_dir(const std::string& state_dir) {
  const std::string state = make_state_dir(state_dir, "");
  return state.empty() ? "" : (fs::path(state) / "audit").lexically_normal().string();
}

std::string trace_dir(const std::string& state_dir) {
  const std::string state = make_state_dir(state_dir, "");
  return state.empty() ? "" : (fs::path(state) / "traces").lexically_normal().string();
}

std::string api_key_file(const std::string& state_dir) {
  const std::string state = make_state_dir(state_dir, "");
  return state.empty() ? "" : (fs::path(state) / "http-keys.json").lexically_normal().string();
}

std::string make_cache_dir(unsigned worker_user) {
  std::vector<fs::path> places;
  if (const std::string systemd = variable("CACHE_DIRECTORY"); !systemd.empty()) places.emplace_back(systemd);
  if (geteuid() == 0) places.emplace_back("/var/cache/capsule");
  if (worker_user == 0) places.push_back(user_directory("XDG_CACHE_HOME", ".cache", "cache"));
  for (fs::path& place : places) place /= "matplotlib";
  const std::string directory = made(places);
  if (!directory.empty() && worker_user != 0 && chown(directory.c_str(), worker_user, worker_user) != 0) return {};
  return directory;
}

Status check_profile_paths(const Config& config) {
  const auto missing = [](const std::string& profile, const char* key, const std::string& path) {
    return failure(Errc::kNotFound, "profiles." + profile + "." + key + ": found \"" + path +
                                        "\"; allowed: what exists on this machine");
  };
  for (const auto& [name, profile] : config.profiles) {
    for (const std::string& path : profile.content.packages) {
      if (access(path.c_str(), F_OK) != 0) return missing(name, "packages", path);
    }
    for (const ReadOnlyMount& mount : profile.content.mounts) {
      if (access(mount.source.c_str(), F_OK) != 0) return missing(name, "mounts", mount.source);
    }
  }
  return {};
}

}  // namespace capsule
