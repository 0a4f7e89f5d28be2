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
  std::string rollback = {};  // always, idle, off; empty: the session's
};

struct RunSeen {
  Duration took{};
  std::string lease;   // hit, miss, session
  std::string result;  // text/plain of the last value
};

// An error when the verdict is not `ok` or a byte of stdout is not what was to be expected.
Result<RunSeen> run(cli::Client& client, const RunRequest& request);

// `count` runs, `at_once` of them under way at any time, each checked like run(). Sessions take turns; none: one-shot.
struct FloodRequest {
  std::string code, result;
  std::vector<std::string> sessions;
  size_t count = 0, at_once = 0;
};
Result<Duration> flood(cli::Client& client, const FloodRequest& request);

// run(), and the value must be `result`.
Result<RunSeen> run_expecting(cli::Client& client, const RunRequest& request, const std::string& result);

// A run whatever its end, for workloads that end runs themselves. They look at the verdict.
struct Ended {
  Duration took{};
  Finished finished;
};
Result<Ended> run_to_its_end(cli::Client& client, const RunRequest& request);

// A session's code that tells with kTellRound that its endless loop begins now, and is cancelled `head` later: `took`
// is from the cancel to the verdict.
struct LoopRequest {
  std::string session, code;
  milliseconds head{};  // it goes round for so long
};
inline constexpr const char* kTellRound = "print('round', flush=True)\n";
Result<Ended> cancel_loop(cli::Client& client, const LoopRequest& loop);
// The same of a Python loop, and the verdict must be `cancelled` by an interrupt with the session's state kept.
Result<Duration> cancel_endless_loop(cli::Client& client, const std::string& session);

Result<std::string> new_session(cli::Client& client, const std::string& rollback = {});
Status remove_session(cli::Client& client, const std::string& session);
// Until its worker is no more: what is being taken down would be measured together with what comes next.
Status remove_and_wait(cli::Client& client, const std::string& session);
Status wait_for_end(pid_t pid);

}  // namespace capsule::bench
