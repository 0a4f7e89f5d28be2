#include "manager/schedule/scheduler.h"

#include <cassert>

namespace capsule {

Scheduler::Scheduler(SchedulerLimits limits) : limits_(limits), queue_({limits.capacity, limits.per_client}) {}

void Scheduler::set_limits(SchedulerLimits limits) {
  limits_ = limits;
  queue_.set_limits({limits.capacity, limits.per_client});
}

Result<size_t> Scheduler::submit(QueuedRun run, TimePoint now) {
  assert(active_.count(run.id) == 0);
  const size_t queued_before = queue_.size();
  run.queued_at = now;
  const auto ticket = queue_.push(std::move(run));
  if (!ticket) {
    ++rejected_;
    return tl::unexpected<Error>(ticket.error());
  }
  return queued_before;
}

std::optional<QueuedRun> Scheduler::next(const Capacity& capacity, const Allowance& allowance) {
  if (limits_.max_running != 0 && active_.size() >= limits_.max_running) return std::nullopt;
  Answers answers;
  const auto& clients = queue_.by_client();
  // The turn goes on with the client after the one served last, then round to it again.
  auto turn = clients.upper_bound(last_served_);
  for (size_t asked = 0; asked < clients.size(); ++asked, ++turn) {
    if (turn == clients.end()) turn = clients.begin();
    const auto ticket = oldest_runnable(turn->second, capacity, allowance, answers);
    if (!ticket) continue;
    last_served_ = turn->first;
    return activate(*ticket);
  }
  return std::nullopt;
}

std::optional<RunQueue::Ticket> Scheduler::oldest_runnable(const RunQueue::ClientRuns& runs, const Capacity& capacity,
                                                           const Allowance& allowance, Answers& answers) const {
  std::optional<RunQueue::Ticket> oldest;
  for (const auto& [lane, tickets] : runs.lanes) {
    const RunQueue::Ticket first = *tickets.begin();
    if (oldest && *oldest < first) continue;
    if (!lane.session.empty()) {
      if (session_can_start(lane.session, first)) oldest = first;
      continue;
    }
    if (allowance && !allowance(queue_.at(first).uid)) continue;
    auto answer = answers.find(lane.profile);
    if (answer == answers.end()) answer = answers.emplace(lane.profile, capacity(lane.profile)).first;
    if (answer->second) oldest = first;
  }
  return oldest;
}

bool Scheduler::session_can_start(const std::string& session, RunQueue::Ticket ticket) const {
  return busy_sessions_.count(session) == 0 && blocked_sessions_.count(session) == 0 &&
         queue_.first_of_session(session) == ticket;
}

QueuedRun Scheduler::activate(RunQueue::Ticket ticket) {
  QueuedRun run = queue_.take(ticket);
  if (!run.session.empty()) busy_sessions_.insert(run.session);
  active_.emplace(run.id, Active{ticket, run});
  return run;
}

void Scheduler::put_back(std::string_view id) {
  const auto found = active_.find(std::string(id));
  assert(found != active_.end());
  Active active = std::move(found->second);
  active_.erase(found);
  busy_sessions_.erase(active.run.session);
  queue_.put_back(active.ticket, std::move(active.run));
}

void Scheduler::finished(std::string_view id) {
  const auto found = active_.find(std::string(id));
  if (found == active_.end()) return;
  busy_sessions_.erase(found->second.run.session);
  active_.erase(found);
}

void Scheduler::block_session(const std::string& session) { blocked_sessions_.insert(session); }

void Scheduler::unblock_session(const std::string& session) { blocked_sessions_.erase(session); }

std::optional<QueuedRun> Scheduler::cancel_queued(std::string_view id) { return queue_.take(id); }

std::vector<QueuedRun> Scheduler::take_expired(TimePoint now) { return queue_.take_expired(now); }

std::vector<QueuedRun> Scheduler::drop_client(ClientKey client) { return queue_.take_client(client); }

std::vector<QueuedRun> Scheduler::drop_session(const std::string& session) {
  unblock_session(session);
  return queue_.take_session(session);
}

Duration Scheduler::oldest_wait(TimePoint now) const {
  const auto queued_at = queue_.oldest_queued_at();
  return queued_at && *queued_at < now ? now - *queued_at : Duration::zero();
}

std::vector<std::pair<ClientKey, size_t>> Scheduler::by_client() const {
  std::vector<std::pair<ClientKey, size_t>> counts;
  for (const auto& [client, runs] : queue_.by_client()) counts.emplace_back(client, runs.count);
  return counts;
}

}  // namespace capsule
