// Landlock: what a worker may do to the file system, decided by the kernel below every mount and name. The keeper makes
// the ruleset once, against the capsule's own root; workers inherit it and enter it. Raw system calls: the headers of
// Debian 12 know ABI 2 only, and a capsule uses no more than what was seen to hold (landlock_proof.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "worker/sandbox/policy.h"

namespace capsule::sandbox::landlock {

// The version the kernel claims; 0: none.
int claimed_abi();

using Rights = uint64_t;
Rights handled_rights(int abi);  // everything that version can refuse
Rights reading_rights(int abi);  // read, list, execute
Rights writing_rights(int abi);  // all but devices' controls and making device files

struct Rule {
  std::string path;
  Rights rights;
  bool operator==(const Rule&) const = default;
};

// Rules for a private root.
std::vector<Rule> rules_for_private_root(const Policy& policy, int abi);
// Where the host's root is all there is: the same, by the host's names, and one directory to write to.
std::vector<Rule> rules_for_host_root(const Policy& policy, const std::string& workspace, int abi);

enum class Scopes { kNone, kSignalsAndAbstractSockets };
// A place that does not exist is left out: nothing can be reached there. Without a network TCP is refused here too.
Result<UniqueFd> make_ruleset(const std::vector<Rule>& rules, const Policy& policy, Scopes scopes, int abi);
// Needs no_new_privs. From here on, for this thread and all it starts.
Status restrict_self(int ruleset);

}  // namespace capsule::sandbox::landlock
