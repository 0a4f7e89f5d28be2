#include "manager/pool/worker_state.h"

namespace capsule {
namespace {

struct Edge {
  WorkerState from;
  WorkerEvent event;
  WorkerState to;
};

constexpr Edge kEdges[] = {
    {WorkerState::kStarting, WorkerEvent::kReady, WorkerState::kIdle},
    {WorkerState::kStarting, WorkerEvent::kRetired, WorkerState::kRetiring},
    {WorkerState::kStarting, WorkerEvent::kDied, WorkerState::kGone},
    {WorkerState::kIdle, WorkerEvent::kLeased, WorkerState::kLeased},
    {WorkerState::kIdle, WorkerEvent::kRetired, WorkerState::kRetiring},
    {WorkerState::kIdle, WorkerEvent::kDied, WorkerState::kGone},
    {WorkerState::kLeased, WorkerEvent::kReturned, WorkerState::kIdle},
    {WorkerState::kLeased, WorkerEvent::kRetired, WorkerState::kRetiring},
    {WorkerState::kLeased, WorkerEvent::kDied, WorkerState::kGone},
    {WorkerState::kRetiring, WorkerEvent::kDied, WorkerState::kGone},
};

}  // namespace

std::string_view to_string(WorkerState state) {
  switch (state) {
    case WorkerState::kStarting: return "starting";
    case WorkerState::kIdle: return "idle";
    case WorkerState::kLeased: return "leased";
    case WorkerState::kRetiring: return "retiring";
    case WorkerState::kGone: return "gone";
  }
  return "gone";
}

std::string_view to_string(WorkerEvent event) {
  switch (event) {
    case WorkerEvent::kReady: return "ready";
    case WorkerEvent::kLeased: return "leased";
    case WorkerEvent::kReturned: return "returned";
    case WorkerEvent::kRetired: return "retired";
    case WorkerEvent::kDied: return "died";
  }
  return "died";
}

std::optional<WorkerState> transition(WorkerState state, WorkerEvent event) {
  for (const Edge& edge : kEdges) {
    if (edge.from == state && edge.event == event) return edge.to;
  }
  return std::nullopt;
}

}  // namespace capsule
