// Finds the `capsule-manager` that belongs to this command.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace capsule::cli {

// In order: $CAPSULE_LIBEXEC, beside this binary, the build tree (../manager), an installation (../libexec/capsule),
// PATH. Pure; `path` as in the environment.
std::vector<std::string> manager_candidates(const std::string& own_directory, const std::string& libexec,
                                            const std::string& path);

// The first candidate that can be executed, as an absolute path.
Result<std::string> find_manager_binary();

}  // namespace capsule::cli
