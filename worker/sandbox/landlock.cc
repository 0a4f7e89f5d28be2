#include "worker/sandbox/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "worker/sandbox/root_plan.h"

namespace capsule::sandbox::landlock {
namespace {

// Newer than the headers (Documentation/userspace-api/landlock.rst).
constexpr Rights kTruncate = 1ULL << 14;                                          // ABI 3
constexpr Rights kIoctlDevice = 1ULL << 15;                                       // ABI 5
constexpr uint64_t kBindTcp = 1ULL << 0, kConnectTcp = 1ULL << 1;                 // ABI 4
constexpr uint64_t kScopeAbstractSockets = 1ULL << 0, kScopeSignals = 1ULL << 1;  // ABI 6

struct RulesetAttributes {
  uint64_t filesystem, network, scoped;
};

constexpr Rights kFirstRights = (1ULL << 13) - 1;  // ABI 1: execute … make_sym
constexpr Rights kRead = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr Rights kOnFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                            kTruncate | kIoctlDevice;

// What a private root makes itself and a host has.
constexpr const char* kNames[] = {"/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/dev/random"};

Status add(int ruleset, const Rule& rule, Rights handled) {
  const UniqueFd place(open(rule.path.c_str(), O_PATH | O_CLOEXEC));
  if (!place) return errno == ENOENT ? Status() : Status(system_failure("open " + rule.path));
  struct stat info {};
  if (fstat(place.get(), &info) != 0) return system_failure("look at " + rule.path);
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = rule.rights & handled & (S_ISDIR(info.st_mode) ? ~Rights{0} : kOnFiles);
  beneath.parent_fd = place.get();
  if (beneath.allowed_access == 0) return {};
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0) return {};
  return system_failure("landlock rule for " + rule.path);
}

}  // namespace

int claimed_abi() {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

Rights handled_rights(int abi) {
  if (abi < 1) return 0;
  Rights rights = kFirstRights;
  if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) rights |= kTruncate;
  if (abi >= 5) rights |= kIoctlDevice;
  return rights;
}

Rights reading_rights(int abi) { return kRead & handled_rights(abi); }

Rights writing_rights(int abi) {
  return handled_rights(abi) & ~(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | kIoctlDevice);
}

std::vector<Rule> rules_for_private_root(const Policy& policy, int abi) {
  const Rights read = reading_rights(abi), write = writing_rights(abi);
  // The kernel looks for rules from a file up to the root, but passes over what is mounted upon and over the place it
  // is mounted on: in a capsule inside this one, with other mounts at the same places, only the directories above them
  // count. So what can be written is below /var and /dev. And /proc is never written to: this is what keeps /proc/sys
  // and /proc/sysrq-trigger out of reach as long as no mount can hide them (docs/decisions/0007-private-root.md).
  std::vector<Rule> rules{{"/", read & ~Rights{LANDLOCK_ACCESS_FS_EXECUTE}}, {"/etc", read}};
  for (const char* path : program_places()) rules.push_back({path, read});
  for (const char* path : {"/var", "/dev"}) rules.push_back({path, write});
  for (const std::string& path : policy.packages) rules.push_back({path, read});
  for (const Mount& mount : policy.mounts) rules.push_back({mount.target, read});
  return rules;
}

std::vector<Rule> rules_for_host_root(const Policy& policy, const std::string& workspace, int abi) {
  const Rights read = reading_rights(abi);
  const Rights use = (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate) & handled_rights(abi);
  std::vector<Rule> rules;
  for (const char* path : program_places()) rules.push_back({path, read});
  for (const char* path : setting_places()) rules.push_back({path, read});
  for (const char* path : kNames) rules.push_back({path, read});
  for (const char* path : device_places()) rules.push_back({path, use});
  rules.push_back({"/proc/self", read & ~Rights{LANDLOCK_ACCESS_FS_EXECUTE}});
  if (!workspace.empty()) rules.push_back({workspace, writing_rights(abi)});
  for (const std::string& path : policy.packages) rules.push_back({path, read});
  for (const Mount& mount : policy.mounts) rules.push_back({mount.source, read});
  return rules;
}

Result<UniqueFd> make_ruleset(const std::vector<Rule>& rules, const Policy& policy, Scopes scopes, int abi) {
  if (abi < 1)
    return failure(Errc::kUnavailable,
                   "the kernel has no Landlock, it is not enabled (lsm=landlock), or it did not hold when tried");
  RulesetAttributes attributes{handled_rights(abi), 0, 0};
  size_t size = sizeof attributes.filesystem;  // what this version knows; more must be zero or is refused
  if (abi >= 4) {
    if (policy.network == Network::kNone) attributes.network = kBindTcp | kConnectTcp;
    size = sizeof attributes.filesystem + sizeof attributes.network;
  }
  if (abi >= 6) {
    if (scopes == Scopes::kSignalsAndAbstractSockets) attributes.scoped = kScopeAbstractSockets | kScopeSignals;
    size = sizeof attributes;
  }
  UniqueFd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!ruleset) return system_failure("landlock_create_ruleset");
  for (const Rule& rule : rules) {
    if (auto added = add(ruleset.get(), rule, attributes.filesystem); !added) {
      return tl::unexpected<Error>(added.error());
    }
  }
  return ruleset;
}

Status restrict_self(int ruleset) {
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) return system_failure("landlock_restrict_self");
  return {};
}

}  // namespace capsule::sandbox::landlock
