// The seccomp filter: compiled once by the zygote with libseccomp, loaded by each worker with the raw system call,
// which allocates nothing. Foreign architectures (32-bit entry, x32) kill the process.
#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "worker/sandbox/seccomp_table.h"

namespace capsule::sandbox::seccomp {

using Program = std::vector<sock_filter>;
Result<Program> compile(const std::vector<Row>& table);

// For this thread and all it starts; needs no_new_privs. Gives the descriptor on which kAsk calls arrive.
Result<UniqueFd> load(const Program& program);

// One JSON object a line for each system call number from 0 to 1023: nr, name, action, note. A call whose rows look at
// arguments has the action "arguments". For tests that try each number.
std::string describe(const std::vector<Row>& table);

}  // namespace capsule::sandbox::seccomp
