#include "worker/sandbox/root_plan.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace capsule::sandbox {
namespace {

// Programs, libraries, the interpreter. Links (merged /usr) are made again, directories are shown.
constexpr const char* kProgramPlaces[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

// Of /etc only what the loader, Python, numpy, matplotlib and TLS look at. Names of people, keys and the machine's own
// id stay outside.
constexpr const char* kSettings[] = {"/etc/alternatives", "/etc/fonts",        "/etc/ld.so.cache",
                                     "/etc/localtime",    "/etc/matplotlibrc", "/etc/mime.types",
                                     "/etc/python3.11",   "/etc/ssl/certs",    "/etc/ssl/openssl.cnf"};

constexpr const char* kDevices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"};

std::string target_of(const std::string& path) {
  std::array<char, PATH_MAX> text{};
  const ssize_t size = readlink(path.c_str(), text.data(), text.size());
  return size > 0 ? std::string(text.data(), static_cast<size_t>(size)) : std::string();
}

void look_at(const std::string& path, HostFacts& facts) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return;
  if (S_ISLNK(info.st_mode)) {
    facts.links[path] = target_of(path);
  } else {
    facts.is_directory[path] = S_ISDIR(info.st_mode);
  }
}

bool is_below_usr(const std::string& path) { return path == "/usr" || path.starts_with("/usr/"); }

void add_binds(const HostFacts& host, const std::string& path, Access access, RootPlan& plan) {
  if (const auto link = host.links.find(path); link != host.links.end()) plan.links[path] = link->second;
  const auto found = host.is_directory.find(path);
  if (found == host.is_directory.end()) return;
  plan.binds.push_back({path, path, found->second ? Kind::kDirectory : Kind::kFile, access});
}

void add_generated(RootPlan& plan) {
  plan.files = {{"/etc/hostname", "capsule\n"},
                {"/etc/hosts", "127.0.0.1 localhost capsule\n::1 localhost\n"},
                {"/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
                {"/etc/resolv.conf", ""}};
  // Below /var, and not at the root: see landlock::rules_for_private_root().
  plan.links["/tmp"] = "var/tmp";
  plan.links["/workspace"] = "var/workspace";
  plan.links["/dev/random"] = "urandom";
  plan.links["/dev/fd"] = "/proc/self/fd";
  plan.links["/dev/stdin"] = "/proc/self/fd/0";
  plan.links["/dev/stdout"] = "/proc/self/fd/1";
  plan.links["/dev/stderr"] = "/proc/self/fd/2";
}

}  // namespace

std::span<const char* const> program_places() { return kProgramPlaces; }
std::span<const char* const> setting_places() { return kSettings; }
std::span<const char* const> device_places() { return kDevices; }

HostFacts look_at_host() {
  HostFacts facts;
  for (const char* path : kProgramPlaces) look_at(path, facts);
  for (const char* path : kSettings) look_at(path, facts);
  for (const char* path : kDevices) look_at(path, facts);
  return facts;
}

RootPlan plan_root(const Policy& policy, const HostFacts& host) {
  RootPlan plan;
  plan.scratch = {{"/var/tmp", policy.tmp_bytes, policy.workspace_files, "1777"},
                  {"/dev/shm", policy.shm_bytes, policy.workspace_files, "1777"},
                  {kWorkspace, policy.workspace_bytes, policy.workspace_files, "0700"}};
  for (const char* path : kProgramPlaces) add_binds(host, path, Access::kPrograms, plan);
  for (const char* path : kSettings) add_binds(host, path, Access::kPrograms, plan);
  for (const char* path : kDevices) add_binds(host, path, Access::kDevice, plan);
  for (const std::string& path : policy.packages) {
    if (!is_below_usr(path)) plan.binds.push_back({path, path, Kind::kDirectory, Access::kPrograms});
  }
  for (const Mount& mount : policy.mounts) {
    plan.binds.push_back({mount.source, mount.target, Kind::kDirectory, Access::kData});
  }
  add_generated(plan);
  return plan;
}

std::vector<RootPlan::File> identity_files(Identity identity) {
  const std::string user = std::to_string(identity.user), group = std::to_string(identity.group);
  return {{"/etc/passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\ncapsule:x:" + user + ":" + group + ":capsule:" +
                              kWorkspace + ":/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
          {"/etc/group", "root:x:0:\ncapsule:x:" + group + ":\nnogroup:x:65534:\n"}};
}

}  // namespace capsule::sandbox
