// Ctrl-C while a run is under way: the first SIGINT or SIGTERM asks for a cancel, the second leaves at once.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule::cli {

// One at a time in a process; lives until the process ends. A signal that the caller had ignored stays ignored.
class CancelSignals {
 public:
  static Result<CancelSignals> install();

  // Readable from the first signal on; never read from it.
  int fd() const { return read_end_.get(); }

 private:
  explicit CancelSignals(UniqueFd read_end) : read_end_(std::move(read_end)) {}
  UniqueFd read_end_;
};

}  // namespace capsule::cli
