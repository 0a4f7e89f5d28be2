// What the outermost keeper hands on to the keeper of a capsule inside: a question of one of that capsule's processes
// about signals, with all numbers as that capsule sees them. One datagram each way over a socket pair (SOCK_SEQPACKET)
// that the manager makes; both ends are keepers of one program, so the structures travel as they are.
//
// The kernel lets a tree of filters have one listener, and its notifications number the caller as the reader's pid
// namespace does. What the call names is numbered as the caller's does, which only a process inside can follow.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>

namespace capsule::sandbox {

struct SignalCall {
  uint64_t id = 0;   // the notification's
  int32_t call = 0;  // SYS_kill and its family, SYS_sched_setaffinity
  uint64_t arguments[4] = {};
  pid_t thread = 0, process = 0;  // of the caller
  siginfo_t info = {};            // what the caller wants to be told with it, for the calls that have it
  bool has_info = false;          // it could be read
};

struct SignalAnswer {
  uint64_t id = 0;
  int32_t error = 0;  // an errno; 0: done, or for sched_setaffinity: may go on
  pid_t hit = 0;      // the worker that got a signal, if one did
  int32_t signal = 0;
};

}  // namespace capsule::sandbox
