// `run --branches`: forks a session, runs a code in each fork at once, and shows each run as a whole when it has ended.
// The forks stay, for one of them to be adopted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/run_request.h"

namespace capsule::cli {

inline constexpr size_t kBranchBytes = 16u << 20;  // of what one branch prints and shows; more is left out, and said

struct BranchesOptions {
  RunOptions run;                  // what is the same for all; `session` is the one to fork
  std::vector<std::string> files;  // one for all, or one for each
  uint64_t count = 0;              // 0: no branches, a run of its own
  std::string name;                // of the forks; empty: made up
};

// The number of branches fits the codes, and each can be sent.
Status check_branches(const BranchesOptions& options);

// How the options of `run` are spelled.
void add_run_options(CLI::App& app, BranchesOptions& into);

// 0 when a branch ended well, else the first one's status.
int run_branches(const BranchesOptions& options);

}  // namespace capsule::cli
