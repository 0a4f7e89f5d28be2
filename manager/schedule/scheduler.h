// Which run goes next. Pure: events in, decisions out, `now` is an argument; one thread.
//
// Fair between clients: they take turns, one run each, however much each has queued. Within a client the oldest run
// that can go, goes: one that waits for its session or its pool does not hold up the client's others.
// A session runs one thing at a time, in order of arrival over all clients.
//
// A run is queued until next() hands it out, then active until finished(). At its limits submit() refuses with
// kUnavailable and the name of the knob; nothing that was accepted is ever dropped silently: whoever takes runs out
// unrun (cancel_queued, take_expired, drop_client, drop_session) gets them back and owes each a verdict.
#pragma once

#include <functional>
#include <unordered_set>

#include "manager/schedule/run_queue.h"

namespace capsule {

struct SchedulerLimits {
  size_t capacity = 0;     // queue.capacity
  size_t per_client = 0;   // queue.per_client: queued, not active ones
  size_t max_running = 0;  // queue.max_running; 0: the pools decide
};

class Scheduler {
 public:
  // Whether a one-shot run of this profile could get a worker now. Asked at most once a profile in one next().
  using Capacity = std::function<bool(const std::string& profile)>;
  // Whether this user's one-shot runs may take a further worker now; empty: everybody's may.
  using Allowance = std::function<bool(uid_t uid)>;

  explicit Scheduler(SchedulerLimits limits);
  void set_limits(SchedulerLimits limits);

  // How many runs, of all clients, were queued before it. `queued_at` is set to `now`.
  Result<size_t> submit(QueuedRun run, TimePoint now);

  // The run to start now, no longer queued and active from here on; nullopt when none can. Call until nullopt after
  // any event that may free something. Sessions ask for no capacity: they have their worker.
  std::optional<QueuedRun> next(const Capacity& capacity, const Allowance& allowance = {});

  // The worker an active run was to get died before it was told anything: queued again, at its old place.
  void put_back(std::string_view id);
  // An active run is over. Ids that are not active are ignored (it may have been taken out of the queue).
  void finished(std::string_view id);

  // A blocked session starts no run (it is starting, being reset or rolled back); what is queued stays queued.
  void block_session(const std::string& session);
  void unblock_session(const std::string& session);

  // Take runs out of the queue; active ones are not touched.
  std::optional<QueuedRun> cancel_queued(std::string_view id);
  std::vector<QueuedRun> take_expired(TimePoint now);
  std::vector<QueuedRun> drop_client(ClientKey client);
  std::vector<QueuedRun> drop_session(const std::string& session);  // also unblocks it

  bool is_queued(std::string_view id) const { return queue_.contains(id); }
  bool session_is_busy(const std::string& session) const { return busy_sessions_.count(session) != 0; }
  size_t depth() const { return queue_.size(); }
  size_t running() const { return active_.size(); }
  size_t queued_of_session(const std::string& session) const { return queue_.count_of_session(session); }
  Duration oldest_wait(TimePoint now) const;  // zero when nothing is queued
  std::optional<TimePoint> next_deadline() const { return queue_.next_deadline(); }
  std::vector<std::pair<ClientKey, size_t>> by_client() const;  // who has how many queued
  uint64_t rejected() const { return rejected_; }               // by submit(), ever

 private:
  struct Active {
    RunQueue::Ticket ticket = 0;
    QueuedRun run;
  };
  using Answers = std::unordered_map<std::string, bool>;  // of Capacity, within one next()

  std::optional<RunQueue::Ticket> oldest_runnable(const RunQueue::ClientRuns& runs, const Capacity& capacity,
                                                  const Allowance& allowance, Answers& answers) const;
  bool session_can_start(const std::string& session, RunQueue::Ticket ticket) const;
  QueuedRun activate(RunQueue::Ticket ticket);

  SchedulerLimits limits_;
  RunQueue queue_;
  std::unordered_map<RunId, Active> active_;
  std::unordered_set<std::string> busy_sessions_;
  std::unordered_set<std::string> blocked_sessions_;
  ClientKey last_served_ = 0;
  uint64_t rejected_ = 0;
};

}  // namespace capsule
