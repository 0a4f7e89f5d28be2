// The life of a worker: starting -> idle -> leased -> retiring -> gone. One table; each edge is one event.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace capsule {

enum class WorkerState {
  kStarting,  // branched; has not yet run its no-op
  kIdle,      // ready: in the stock, or a session's worker between runs
  kLeased,    // a run has it
  kRetiring,  // told or made to end; its death is awaited
  kGone,      // reaped
};
inline constexpr std::array kAllWorkerStates{WorkerState::kStarting, WorkerState::kIdle, WorkerState::kLeased,
                                             WorkerState::kRetiring, WorkerState::kGone};
std::string_view to_string(WorkerState state);  // starting, idle, leased, retiring, gone

enum class WorkerEvent {
  kReady,  // hello and warm-up are done
  kLeased,
  kReturned,  // a session's run is over and the session keeps the worker
  kRetired,   // we want it to end, for whatever reason
  kDied,      // the kernel says so; from every state but gone
};
inline constexpr std::array kAllWorkerEvents{WorkerEvent::kReady, WorkerEvent::kLeased, WorkerEvent::kReturned,
                                             WorkerEvent::kRetired, WorkerEvent::kDied};
std::string_view to_string(WorkerEvent event);

// The state after the event; nullopt when the event cannot happen in this state. kGone accepts none.
std::optional<WorkerState> transition(WorkerState state, WorkerEvent event);

}  // namespace capsule
