#include "manager/schedule/run_queue.h"

#include <cassert>

namespace capsule {
namespace {

Lane lane_of(const QueuedRun& run) { return run.session.empty() ? Lane{"", run.profile} : Lane{run.session, ""}; }

// Removes one ticket of a group, and the group with its last one.
template <class Groups, class Key>
void remove_from(Groups& groups, const Key& key, RunQueue::Ticket ticket) {
  const auto group = groups.find(key);
  assert(group != groups.end());
  group->second.erase(ticket);
  if (group->second.empty()) groups.erase(group);
}

}  // namespace

Result<RunQueue::Ticket> RunQueue::push(QueuedRun run) {
  if (runs_.size() >= limits_.capacity) {
    return failure(Errc::kUnavailable, "the queue is full: " + std::to_string(runs_.size()) +
                                           " runs wait (queue.capacity = " + std::to_string(limits_.capacity) + ")");
  }
  const auto own = by_client_.find(run.client);
  if (own != by_client_.end() && own->second.count >= limits_.per_client) {
    return failure(Errc::kUnavailable, "this client's queue is full: " + std::to_string(own->second.count) +
                                           " runs wait (queue.per_client = " + std::to_string(limits_.per_client) +
                                           ")");
  }
  const Ticket ticket = next_ticket_++;
  put_back(ticket, std::move(run));
  return ticket;
}

void RunQueue::put_back(Ticket ticket, QueuedRun run) {
  assert(!run.id.empty() && !contains(run.id) && runs_.count(ticket) == 0);
  index(ticket, run);
  runs_.emplace(ticket, std::move(run));
}

void RunQueue::index(Ticket ticket, const QueuedRun& run) {
  by_id_.emplace(run.id, ticket);
  ClientRuns& own = by_client_[run.client];
  own.lanes[lane_of(run)].insert(ticket);
  ++own.count;
  if (!run.session.empty()) by_session_[run.session].insert(ticket);
  if (run.deadline != TimePoint::max()) by_deadline_.emplace(run.deadline, ticket);
}

void RunQueue::unindex(Ticket ticket, const QueuedRun& run) {
  by_id_.erase(run.id);
  const auto own = by_client_.find(run.client);
  assert(own != by_client_.end());
  remove_from(own->second.lanes, lane_of(run), ticket);
  if (--own->second.count == 0) by_client_.erase(own);
  if (!run.session.empty()) remove_from(by_session_, run.session, ticket);
  if (run.deadline != TimePoint::max()) by_deadline_.erase({run.deadline, ticket});
}

std::optional<QueuedRun> RunQueue::take(std::string_view id) {
  const auto found = by_id_.find(std::string(id));
  if (found == by_id_.end()) return std::nullopt;
  return take(found->second);
}

QueuedRun RunQueue::take(Ticket ticket) {
  const auto found = runs_.find(ticket);
  assert(found != runs_.end());
  QueuedRun run = std::move(found->second);
  runs_.erase(found);
  unindex(ticket, run);
  return run;
}

std::vector<QueuedRun> RunQueue::take_client(ClientKey client) {
  std::vector<QueuedRun> taken;
  const auto found = by_client_.find(client);
  if (found == by_client_.end()) return taken;
  Tickets tickets;  // a copy, and in order of arrival over the lanes
  for (const auto& lane : found->second.lanes) tickets.insert(lane.second.begin(), lane.second.end());
  for (const Ticket ticket : tickets) taken.push_back(take(ticket));
  return taken;
}

std::vector<QueuedRun> RunQueue::take_session(const std::string& session) {
  std::vector<QueuedRun> taken;
  const auto found = by_session_.find(session);
  if (found == by_session_.end()) return taken;
  const Tickets tickets = found->second;
  for (const Ticket ticket : tickets) taken.push_back(take(ticket));
  return taken;
}

std::vector<QueuedRun> RunQueue::take_expired(TimePoint now) {
  std::vector<QueuedRun> taken;
  while (!by_deadline_.empty() && by_deadline_.begin()->first <= now) {
    const Ticket ticket = by_deadline_.begin()->second;
    taken.push_back(take(ticket));
  }
  return taken;
}

const QueuedRun& RunQueue::at(Ticket ticket) const {
  const auto found = runs_.find(ticket);
  assert(found != runs_.end());
  return found->second;
}

std::optional<TimePoint> RunQueue::oldest_queued_at() const {
  if (runs_.empty()) return std::nullopt;
  return runs_.begin()->second.queued_at;
}

std::optional<TimePoint> RunQueue::next_deadline() const {
  if (by_deadline_.empty()) return std::nullopt;
  return by_deadline_.begin()->first;
}

size_t RunQueue::count_of_session(const std::string& session) const {
  const auto found = by_session_.find(session);
  return found == by_session_.end() ? 0 : found->second.size();
}

RunQueue::Ticket RunQueue::first_of_session(const std::string& session) const {
  const auto found = by_session_.find(session);
  assert(found != by_session_.end());
  return *found->second.begin();
}

}  // namespace capsule
