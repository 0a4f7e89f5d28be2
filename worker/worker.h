// A worker: one interpreter that serves runs over its link until it is killed. Forked by a keeper; user code runs here.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace capsule {

struct WorkerOptions {
  std::string profile;
  Duration heartbeat_interval{};
  std::string workspace;  // becomes the current directory
};

// Never returns. Tells the manager through `hello` whether it could start.
[[noreturn]] void serve_as_worker(UniqueFd link, const WorkerOptions& options);

}  // namespace capsule
