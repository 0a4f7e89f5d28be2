#include "manager/sessions/state_tree.h"

#include <algorithm>
#include <set>

namespace capsule {
namespace {
constexpr uint64_t kNone = 0;

std::string counted(uint64_t runs) { return std::to_string(runs) + (runs == 1 ? " run" : " runs"); }
}  // namespace

StateTree::StateTree(Origin origin) { states_[present_] = {kNone, 0, {}, origin}; }

void StateTree::run_kept(std::string run_id) {
  const State next{present_, depth() + 1, std::move(run_id), states_.at(present_).origin};
  states_[++last_state_] = next;
  present_ = last_state_;
  if (states_.size() > kStatesMax) forget_old();
}

void StateTree::taken(SnapshotId snapshot, std::string checkpoint) {
  snapshots_[snapshot] = {present_, std::move(checkpoint)};
}

void StateTree::gone(SnapshotId snapshot) { snapshots_.erase(snapshot); }

void StateTree::went_back(std::optional<SnapshotId> snapshot) {
  if (snapshot) {
    present_ = snapshots_.at(*snapshot).state;
    for (auto& [id, entry] : snapshots_) entry.leads_here = is_on_the_way(entry.state);
    return;
  }
  for (auto& [id, entry] : snapshots_) entry.leads_here = false;
  states_[++last_state_] = {kNone, 0, {}, Origin::kFresh};
  present_ = last_state_;
}

std::optional<SnapshotId> StateTree::find_checkpoint(const std::string& name) const {
  for (const auto& [id, entry] : snapshots_) {
    if (entry.checkpoint == name && !name.empty()) return id;
  }
  return std::nullopt;
}

size_t StateTree::checkpoints() const {
  return static_cast<size_t>(std::count_if(snapshots_.begin(), snapshots_.end(),
                                           [](const auto& each) { return !each.second.checkpoint.empty(); }));
}

bool StateTree::is_covered() const {
  if (depth() == 0 && states_.at(present_).origin == Origin::kFresh) return true;
  return std::any_of(snapshots_.begin(), snapshots_.end(),
                     [this](const auto& each) { return each.second.state == present_; });
}

bool StateTree::is_on_the_way(uint64_t state) const {
  for (uint64_t at = present_; at != kNone && at >= state;) {
    if (at == state) return true;
    const auto found = states_.find(at);
    if (found == states_.end()) return false;
    at = found->second.parent;
  }
  return false;
}

std::optional<SnapshotId> StateTree::fallback() const {
  std::optional<SnapshotId> best;
  for (const auto& [id, entry] : snapshots_) {
    if (!entry.leads_here) continue;
    if (!best) {
      best = id;
      continue;
    }
    const Entry& other = snapshots_.at(*best);
    const bool is_nearer = entry.state > other.state;
    const bool is_cheaper = entry.state == other.state && !other.checkpoint.empty() && entry.checkpoint.empty();
    if (is_nearer || is_cheaper) best = id;
  }
  return best;
}

StateTree::Runs StateTree::runs_since(std::optional<SnapshotId> snapshot, size_t named_max) const {
  const uint64_t until = snapshot ? snapshots_.at(*snapshot).state : kNone;
  Runs runs;
  runs.count = depth() - (snapshot ? states_.at(until).depth : 0);
  for (uint64_t at = present_; at != until && at != kNone && runs.ids.size() < named_max;) {
    const auto found = states_.find(at);
    if (found == states_.end()) break;
    if (!found->second.run_id.empty()) runs.ids.push_back(found->second.run_id);
    at = found->second.parent;
  }
  std::reverse(runs.ids.begin(), runs.ids.end());
  return runs;
}

Result<std::optional<SnapshotId>> StateTree::undo(uint64_t runs) const {
  const uint64_t here = depth();
  if (runs == 0) return failure(Errc::kInvalid, "undo goes back by one run or more");
  if (runs > here) {
    return failure(Errc::kInvalid, "the session has " + counted(here) + " that could be undone");
  }
  const uint64_t wanted = here - runs;
  const bool began_fresh = states_.at(present_).origin == Origin::kFresh;
  std::optional<SnapshotId> best;
  std::set<uint64_t> possible;
  for (const auto& [id, entry] : snapshots_) {
    if (!entry.leads_here) continue;
    const uint64_t at = states_.at(entry.state).depth;
    if (at < here) possible.insert(here - at);
    if (at == wanted && (!best || snapshots_.at(*best).checkpoint.empty() < entry.checkpoint.empty())) best = id;
  }
  if (best) return best;
  if (began_fresh) possible.insert(here);
  if (wanted == 0 && began_fresh) return std::optional<SnapshotId>();
  std::string known;
  for (const uint64_t each : possible) known += (known.empty() ? "" : ", ") + std::to_string(each);
  return failure(Errc::kNotFound, "the state of " + counted(runs) + " ago is not kept; kept are those of " +
                                      (known.empty() ? "no" : known) + " runs ago");
}

std::optional<SnapshotId> StateTree::oldest_unnamed() const {
  for (const auto& [id, entry] : snapshots_) {
    if (entry.checkpoint.empty()) return id;
  }
  return std::nullopt;
}

std::vector<SnapshotId> StateTree::superfluous(size_t keep) const {
  std::vector<SnapshotId> unnamed, drop;
  for (const auto& [id, entry] : snapshots_) {
    if (!entry.checkpoint.empty()) continue;
    (entry.leads_here ? unnamed : drop).push_back(id);
  }
  if (unnamed.size() > keep) {
    drop.insert(drop.end(), unnamed.begin(), unnamed.end() - static_cast<std::ptrdiff_t>(keep));
  }
  return drop;
}

void StateTree::forget_old() {
  std::set<uint64_t> wanted{present_};
  for (const auto& [id, entry] : snapshots_) wanted.insert(entry.state);
  for (const uint64_t start : std::vector<uint64_t>(wanted.begin(), wanted.end())) {
    for (auto found = states_.find(start); found != states_.end();) {
      const uint64_t parent = found->second.parent;
      if (parent == kNone || !wanted.insert(parent).second) break;
      found = states_.find(parent);
    }
  }
  std::erase_if(states_, [&](const auto& each) { return !wanted.contains(each.first); });
  const auto is_held = [this](uint64_t state) {
    return state == present_ || std::any_of(snapshots_.begin(), snapshots_.end(),
                                            [&](const auto& each) { return each.second.state == state; });
  };
  // To half: not again with the next run.
  for (auto at = states_.begin(); at != states_.end() && states_.size() > kStatesMax / 2;) {
    at = is_held(at->first) ? std::next(at) : states_.erase(at);
  }
}

}  // namespace capsule
