// What the shell sees when the answer is not a program's own. Statuses of runs come from the manager as they are.
#pragma once

namespace capsule::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;          // what was asked about is not as it should be
inline constexpr int kExitUsage = 2;           // the command line is wrong
inline constexpr int kExitUnavailable = 125;   // Capsule could not: no manager, refused, connection lost
inline constexpr int kExitInterrupted = 130;   // a second Ctrl-C: left without waiting for the end
inline constexpr int kExitOutputClosed = 141;  // nobody reads our output; as a shell shows SIGPIPE

}  // namespace capsule::cli
