// What a capsule sees of the file system, as data: made once by the zygote from the host and the profile, carried out
// by every keeper (root.h). Pure, but for look_at_host().
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "worker/sandbox/policy.h"

namespace capsule::sandbox {

// Of the host's file system, what a capsule is shown as far as it exists.
std::span<const char* const> program_places();
std::span<const char* const> setting_places();
std::span<const char* const> device_places();

// Which of them are there.
struct HostFacts {
  std::map<std::string, std::string> links;  // path -> target
  std::map<std::string, bool> is_directory;  // of what exists and is no link
};
HostFacts look_at_host();

enum class Kind { kDirectory, kFile };
enum class Access { kPrograms, kData, kDevice };  // read-only; read-only and nothing to execute; as it is

struct RootPlan {
  struct Bind {
    std::string source, target;
    Kind kind;
    Access access;
    bool operator==(const Bind&) const = default;
  };
  struct Tmpfs {
    std::string target;
    uint64_t bytes, files;
    const char* mode;  // octal, for mount(2)
    bool operator==(const Tmpfs&) const = default;
  };
  struct File {
    std::string path, text;
    bool operator==(const File&) const = default;
  };
  std::vector<Tmpfs> scratch;  // first: a mount of the profile may lie in one
  std::vector<Bind> binds;
  std::map<std::string, std::string> links;  // path -> target
  std::vector<File> files;
};

RootPlan plan_root(const Policy& policy, const HostFacts& host);

// /etc/passwd and /etc/group: differ between capsules that have users of their own.
std::vector<RootPlan::File> identity_files(Identity identity);

}  // namespace capsule::sandbox
