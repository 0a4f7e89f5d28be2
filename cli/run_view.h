// What a run's messages become for the user: text as it comes, lines of JSON, or one document.
#pragma once

#include "base/result.h"
#include "protocol/message.h"

namespace capsule::cli {

class RunView {
 public:
  virtual ~RunView() = default;

  // Gets every message about the run, in order of arrival; the last one is Finished, or an ErrorReply when the run
  // was not accepted. kClosed: nobody reads what is shown, so the run should end.
  virtual Status show(const Message& message) = 0;
};

}  // namespace capsule::cli
