// Runs through a connection, timed from before the request is packed until its verdict is unpacked, and checked.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "cli/client.h"
#include "protocol/message.h"

namespace capsule::bench {

inline constexpr seconds kRunTimeout{60};

struct RunRequest {
  std::string code;
  std::string session;        // empty: one-shot
  std::string_view line;      // stdout must be this, again and again
  uint64_t stdout_bytes = 0;  // and so much of it
};

struct RunSeen {
  Duration took{};
  std::string lease;   // hit, miss, session
  std::string result;  // text/plain of the last value
};

// An error when the verdict is not `ok` or a byte of stdout is not what was to be expected.
Result<RunSeen> run(cli::Client& client, const RunRequest& request);

// run(), and the value must be `result`.
Result<RunSeen> run_expecting(cli::Client& client, const RunRequest& request, const std::string& result);

// Starts an endless loop in a session, waits until it goes round, and cancels it: from the request to the verdict,
// which must be `cancelled` by an interrupt with the session's state kept.
Result<Duration> cancel_endless_loop(cli::Client& client, const std::string& session);

Result<std::string> new_session(cli::Client& client);
Status remove_session(cli::Client& client, const std::string& session);

}  // namespace capsule::bench
