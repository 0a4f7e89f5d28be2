// The life of a run: queued -> leased -> running -> draining -> finished. One table; each edge is one event.
// What the verdict is, is decided elsewhere (link/run_ending.h); here only what may follow what.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace capsule {

enum class RunState {
  kQueued,
  kLeased,  // has a worker; the code is not yet on its way
  kRunning,
  kDraining,  // ended; its pipes are being read to the end, its verdict is not yet out
  kFinished,
};
inline constexpr std::array kAllRunStates{RunState::kQueued, RunState::kLeased, RunState::kRunning, RunState::kDraining,
                                          RunState::kFinished};
std::string_view to_string(RunState state);  // queued, leased, running, draining, finished

enum class RunEvent {
  kLeased,     // the pool or its session gave it a worker
  kLeaseLost,  // the worker died before it was told anything: back to the queue, as if nothing had been
  kStarted,    // `execute` was sent
  kEnded,      // there is a verdict: by claim, death, or loss
  kDrained,    // both pipes are read to the end
  kDropped,    // ended before it began: cancelled, expired, shut down
};
inline constexpr std::array kAllRunEvents{RunEvent::kLeased, RunEvent::kLeaseLost, RunEvent::kStarted,
                                          RunEvent::kEnded,  RunEvent::kDrained,   RunEvent::kDropped};
std::string_view to_string(RunEvent event);

// The state after the event; nullopt when the event cannot happen in this state. kFinished accepts none.
std::optional<RunState> transition(RunState state, RunEvent event);

}  // namespace capsule
