#include "manager/schedule/run_state.h"

namespace capsule {
namespace {

struct Edge {
  RunState from;
  RunEvent event;
  RunState to;
};

constexpr Edge kEdges[] = {
    {RunState::kQueued, RunEvent::kLeased, RunState::kLeased},
    {RunState::kQueued, RunEvent::kDropped, RunState::kFinished},
    {RunState::kLeased, RunEvent::kLeaseLost, RunState::kQueued},
    {RunState::kLeased, RunEvent::kStarted, RunState::kRunning},
    {RunState::kLeased, RunEvent::kDropped, RunState::kFinished},
    {RunState::kRunning, RunEvent::kEnded, RunState::kDraining},
    {RunState::kDraining, RunEvent::kDrained, RunState::kFinished},
};

}  // namespace

std::string_view to_string(RunState state) {
  switch (state) {
    case RunState::kQueued: return "queued";
    case RunState::kLeased: return "leased";
    case RunState::kRunning: return "running";
    case RunState::kDraining: return "draining";
    case RunState::kFinished: return "finished";
  }
  return "finished";
}

std::string_view to_string(RunEvent event) {
  switch (event) {
    case RunEvent::kLeased: return "leased";
    case RunEvent::kLeaseLost: return "lease_lost";
    case RunEvent::kStarted: return "started";
    case RunEvent::kEnded: return "ended";
    case RunEvent::kDrained: return "drained";
    case RunEvent::kDropped: return "dropped";
  }
  return "dropped";
}

std::optional<RunState> transition(RunState state, RunEvent event) {
  for (const Edge& edge : kEdges) {
    if (edge.from == state && edge.event == event) return edge.to;
  }
  return std::nullopt;
}

}  // namespace capsule
