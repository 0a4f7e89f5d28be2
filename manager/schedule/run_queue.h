// The queued runs, bounded in total and per client. Keeps order and finds; decides nothing: that is the scheduler's.
// Pure; one thread. Every operation on one run costs O(log n).
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace capsule {

using RunId = std::string;
using ClientKey = uint64_t;  // one connection

struct QueuedRun {
  RunId id;
  ClientKey client = 0;
  uid_t uid = 0;        // whose connection it is
  std::string session;  // empty: one-shot
  std::string profile;
  TimePoint queued_at{};
  TimePoint deadline = TimePoint::max();  // when waiting any longer is given up; max(): never
};

struct QueueLimits {
  size_t capacity = 0;    // queue.capacity
  size_t per_client = 0;  // queue.per_client
};

// Runs of one client that wait for the same thing: their session, or a worker of their profile. Only the first of a
// lane can be the next to go, so whoever looks for it has to look at lanes and not at runs.
struct Lane {
  std::string session;  // empty: one-shots of `profile`
  std::string profile;  // empty for sessions
  auto operator<=>(const Lane&) const = default;
};

class RunQueue {
 public:
  // Place in line: unique, growing with arrival. A run that comes back keeps its old one.
  using Ticket = uint64_t;
  using Tickets = std::set<Ticket>;

  struct ClientRuns {
    std::map<Lane, Tickets> lanes;  // none is empty
    size_t count = 0;
  };

  explicit RunQueue(QueueLimits limits) : limits_(limits) {}

  // Smaller limits refuse new runs and leave queued ones alone.
  void set_limits(QueueLimits limits) { limits_ = limits; }

  // kUnavailable, naming the knob, when full. An id that is queued already is a bug (asserted).
  Result<Ticket> push(QueuedRun run);
  // Back at its old place, whatever the limits say: it was accepted once.
  void put_back(Ticket ticket, QueuedRun run);

  std::optional<QueuedRun> take(std::string_view id);
  QueuedRun take(Ticket ticket);  // must be there (asserted)
  std::vector<QueuedRun> take_client(ClientKey client);
  std::vector<QueuedRun> take_session(const std::string& session);
  std::vector<QueuedRun> take_expired(TimePoint now);  // deadline <= now, oldest deadline first

  const QueuedRun& at(Ticket ticket) const;  // must be there (asserted)
  bool contains(std::string_view id) const { return by_id_.count(std::string(id)) != 0; }
  size_t size() const { return runs_.size(); }
  std::optional<TimePoint> oldest_queued_at() const;  // of the run that is first in line
  std::optional<TimePoint> next_deadline() const;

  // In order of the key; only clients that have something queued.
  const std::map<ClientKey, ClientRuns>& by_client() const { return by_client_; }
  size_t count_of_session(const std::string& session) const;
  // The first in line of a session; must have one queued (asserted).
  Ticket first_of_session(const std::string& session) const;

 private:
  void index(Ticket ticket, const QueuedRun& run);
  void unindex(Ticket ticket, const QueuedRun& run);

  QueueLimits limits_;
  Ticket next_ticket_ = 1;
  std::map<Ticket, QueuedRun> runs_;
  std::unordered_map<RunId, Ticket> by_id_;
  std::map<ClientKey, ClientRuns> by_client_;
  std::unordered_map<std::string, Tickets> by_session_;
  std::set<std::pair<TimePoint, Ticket>> by_deadline_;
};

}  // namespace capsule
