// The three state machines: every cell of every table, so that an edge can neither appear nor go unnoticed.
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <utility>

#include "manager/pool/worker_state.h"
#include "manager/schedule/run_state.h"
#include "manager/sessions/session_state.h"

using namespace capsule;

namespace {

template <class State, class Event>
using Edges = std::map<std::pair<State, Event>, State>;

// Every pair of state and event gives what `edges` says, and nothing where it says nothing.
template <class States, class Events, class State, class Event>
void check_table(const States& states, const Events& events, const Edges<State, Event>& edges) {
  for (const State state : states) {
    for (const Event event : events) {
      INFO(to_string(state) << " + " << to_string(event));
      const auto expected = edges.find({state, event});
      const std::optional<State> next = transition(state, event);
      CHECK(next.has_value() == (expected != edges.end()));
      if (next && expected != edges.end()) CHECK(*next == expected->second);
    }
  }
}

template <class Values>
void check_words_differ(const Values& values) {
  std::set<std::string_view> words;
  for (const auto value : values) {
    CHECK_FALSE(to_string(value).empty());
    CHECK(words.insert(to_string(value)).second);
  }
}

}  // namespace

TEST_CASE("a run goes from queued to finished by these edges and no others", "[states]") {
  using S = RunState;
  using E = RunEvent;
  check_table(kAllRunStates, kAllRunEvents,
              Edges<S, E>{{{S::kQueued, E::kLeased}, S::kLeased},
                          {{S::kQueued, E::kDropped}, S::kFinished},
                          {{S::kLeased, E::kLeaseLost}, S::kQueued},
                          {{S::kLeased, E::kStarted}, S::kRunning},
                          {{S::kLeased, E::kDropped}, S::kFinished},
                          {{S::kRunning, E::kEnded}, S::kDraining},
                          {{S::kDraining, E::kDrained}, S::kFinished}});
}

TEST_CASE("a worker goes from starting to gone by these edges and no others", "[states]") {
  using S = WorkerState;
  using E = WorkerEvent;
  check_table(kAllWorkerStates, kAllWorkerEvents,
              Edges<S, E>{{{S::kStarting, E::kReady}, S::kIdle},
                          {{S::kStarting, E::kRetired}, S::kRetiring},
                          {{S::kStarting, E::kDied}, S::kGone},
                          {{S::kIdle, E::kLeased}, S::kLeased},
                          {{S::kIdle, E::kRetired}, S::kRetiring},
                          {{S::kIdle, E::kDied}, S::kGone},
                          {{S::kLeased, E::kReturned}, S::kIdle},
                          {{S::kLeased, E::kRetired}, S::kRetiring},
                          {{S::kLeased, E::kDied}, S::kGone},
                          {{S::kRetiring, E::kDied}, S::kGone}});
}

TEST_CASE("a session goes from starting to closed by these edges and no others", "[states]") {
  using S = SessionState;
  using E = SessionEvent;
  check_table(kAllSessionStates, kAllSessionEvents,
              Edges<S, E>{{{S::kStarting, E::kWorkerReady}, S::kReady},
                          {{S::kStarting, E::kWorkerLost}, S::kStarting},
                          {{S::kStarting, E::kReset}, S::kStarting},
                          {{S::kStarting, E::kClosed}, S::kClosed},
                          {{S::kReady, E::kRunStarted}, S::kBusy},
                          {{S::kReady, E::kWorkerLost}, S::kRolledBack},
                          {{S::kReady, E::kReset}, S::kStarting},
                          {{S::kReady, E::kClosed}, S::kClosed},
                          {{S::kBusy, E::kRunEnded}, S::kReady},
                          {{S::kBusy, E::kWorkerLost}, S::kRolledBack},
                          {{S::kBusy, E::kClosed}, S::kClosed},
                          {{S::kRolledBack, E::kWorkerReady}, S::kReady},
                          {{S::kRolledBack, E::kWorkerLost}, S::kRolledBack},
                          {{S::kRolledBack, E::kReset}, S::kStarting},
                          {{S::kRolledBack, E::kClosed}, S::kClosed}});
}

TEST_CASE("a session that lost its worker can always run again", "[states]") {
  SessionState state = SessionState::kBusy;
  for (const SessionEvent event : {SessionEvent::kWorkerLost, SessionEvent::kWorkerLost, SessionEvent::kWorkerReady,
                                   SessionEvent::kRunStarted, SessionEvent::kRunEnded}) {
    const auto next = transition(state, event);
    REQUIRE(next);
    state = *next;
  }
  CHECK(state == SessionState::kReady);
}

TEST_CASE("states and events have words of their own", "[states]") {
  check_words_differ(kAllRunStates);
  check_words_differ(kAllRunEvents);
  check_words_differ(kAllWorkerStates);
  check_words_differ(kAllWorkerEvents);
  check_words_differ(kAllSessionStates);
  check_words_differ(kAllSessionEvents);
}
