// Drives one run over a connection, from `execute` to `finished`: forwards input, shows output, passes Ctrl-C on.
#pragma once

#include <optional>

#include "base/result.h"
#include "cli/client.h"
#include "cli/run_view.h"
#include "cli/stdio_writer.h"
#include "protocol/message.h"

namespace capsule::cli {

struct RunEnd {
  int exit_status = 0;
  std::optional<Error> problem;  // why there is no verdict
  std::string run_id;            // of a run that has one
};

// Blocks until the run has ended, the manager is gone, or nobody reads the output (then the run is cancelled).
// `input_fd` is read as credit allows when the request asks for standard input; -1 for none. `stdio` tells of Ctrl-C;
// the view writes to it.
RunEnd run_stream(Client& client, Execute request, int input_fd, RunView& view, StdioWriter& stdio);

}  // namespace capsule::cli
