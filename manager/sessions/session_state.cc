#include "manager/sessions/session_state.h"

namespace capsule {
namespace {

struct Edge {
  SessionState from;
  SessionEvent event;
  SessionState to;
};

constexpr Edge kEdges[] = {
    {SessionState::kStarting, SessionEvent::kWorkerReady, SessionState::kReady},
    // A start that fails is tried again with another worker: still starting.
    {SessionState::kStarting, SessionEvent::kWorkerLost, SessionState::kStarting},
    {SessionState::kStarting, SessionEvent::kReset, SessionState::kStarting},
    {SessionState::kStarting, SessionEvent::kClosed, SessionState::kClosed},
    {SessionState::kReady, SessionEvent::kRunStarted, SessionState::kBusy},
    {SessionState::kReady, SessionEvent::kWorkerLost, SessionState::kRolledBack},
    {SessionState::kReady, SessionEvent::kReset, SessionState::kStarting},
    {SessionState::kReady, SessionEvent::kClosed, SessionState::kClosed},
    {SessionState::kBusy, SessionEvent::kRunEnded, SessionState::kReady},
    {SessionState::kBusy, SessionEvent::kWorkerLost, SessionState::kRolledBack},
    {SessionState::kBusy, SessionEvent::kClosed, SessionState::kClosed},
    {SessionState::kRolledBack, SessionEvent::kWorkerReady, SessionState::kReady},
    {SessionState::kRolledBack, SessionEvent::kWorkerLost, SessionState::kRolledBack},
    {SessionState::kRolledBack, SessionEvent::kReset, SessionState::kStarting},
    {SessionState::kRolledBack, SessionEvent::kClosed, SessionState::kClosed},
};

}  // namespace

std::string_view to_string(SessionState state) {
  switch (state) {
    case SessionState::kStarting: return "starting";
    case SessionState::kReady: return "ready";
    case SessionState::kBusy: return "busy";
    case SessionState::kRolledBack: return "rolled_back";
    case SessionState::kClosed: return "closed";
  }
  return "closed";
}

std::string_view to_string(SessionEvent event) {
  switch (event) {
    case SessionEvent::kWorkerReady: return "worker_ready";
    case SessionEvent::kRunStarted: return "run_started";
    case SessionEvent::kRunEnded: return "run_ended";
    case SessionEvent::kWorkerLost: return "worker_lost";
    case SessionEvent::kReset: return "reset";
    case SessionEvent::kClosed: return "closed";
  }
  return "closed";
}

std::optional<SessionState> transition(SessionState state, SessionEvent event) {
  for (const Edge& edge : kEdges) {
    if (edge.from == state && edge.event == event) return edge.to;
  }
  return std::nullopt;
}

}  // namespace capsule
