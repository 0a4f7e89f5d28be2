// The life of a session: starting -> ready <-> busy -> rolled_back -> ready ... -> closed. One table; each edge is one
// event. A session outlives its workers: what breaks one leads to rolled_back, never to closed.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace capsule {

enum class SessionState {
  kStarting,    // waits for its first worker, or after a reset for a fresh one
  kReady,       // can take a run
  kBusy,        // a run has it
  kRolledBack,  // lost its worker; waits for the one it goes on with
  kClosed,
};
inline constexpr std::array kAllSessionStates{SessionState::kStarting, SessionState::kReady, SessionState::kBusy,
                                              SessionState::kRolledBack, SessionState::kClosed};
std::string_view to_string(SessionState state);  // starting, ready, busy, rolled_back, closed

enum class SessionEvent {
  kWorkerReady,  // it has a worker (again)
  kRunStarted,
  kRunEnded,    // and the worker is still good
  kWorkerLost,  // its worker died, was killed or recycled; in or between runs, or before it was ready
  kReset,       // its owner wants a fresh namespace; refused while busy
  kClosed,      // removed, idle for too long, shutdown
};
inline constexpr std::array kAllSessionEvents{SessionEvent::kWorkerReady, SessionEvent::kRunStarted,
                                              SessionEvent::kRunEnded,    SessionEvent::kWorkerLost,
                                              SessionEvent::kReset,       SessionEvent::kClosed};
std::string_view to_string(SessionEvent event);

// The state after the event; nullopt when the event cannot happen in this state. kClosed accepts none.
std::optional<SessionState> transition(SessionState state, SessionEvent event);

}  // namespace capsule
