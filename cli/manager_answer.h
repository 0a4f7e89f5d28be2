// What the manager program answers to a question on its command line; it ends when it has answered.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace capsule::cli {

struct ManagerAnswer {
  std::string text;  // its stdout, at most 256 KiB
  int status = 0;    // its exit status; what went wrong is on stderr already
};

Result<ManagerAnswer> ask_manager_program(std::vector<std::string> arguments);

}  // namespace capsule::cli
