// `run --events`: every message of the run as one line of JSON, as it comes.
#pragma once

#include <string>

#include "cli/run_view.h"
#include "cli/stdio_writer.h"

namespace capsule::cli {

class EventLines final : public RunView {
 public:
  explicit EventLines(StdioWriter& stdio) : stdio_(stdio) {}
  Status show(const Message& message) override;

 private:
  StdioWriter& stdio_;
};

// {"v":1,"event":"output",...} and a newline; empty for messages that are not events of a run. Pure.
std::string event_line(const Message& message);

}  // namespace capsule::cli
