// A worker: one interpreter that serves runs over its link until it is killed. Forked by a keeper; user code runs here.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "worker/interpreter/interpreter.h"
#include "worker/sandbox/layers.h"

namespace capsule {

struct WorkerOptions {
  const sandbox::Recipe* recipe = nullptr;
  sandbox::WorkerRequest sandbox;
  UniqueFd handover;  // to the keeper: the listener of the worker's filter goes there
  std::string profile;
  Duration heartbeat_interval{};
  interpreter::Rehearsal rehearsal{};
};

// Never returns. Tells the manager through `hello` whether it could start.
[[noreturn]] void serve_as_worker(UniqueFd link, WorkerOptions options);

}  // namespace capsule
