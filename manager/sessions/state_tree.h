// What a session can go back to. Each run that its worker survives makes a new state; a snapshot is a parked process
// that holds one state. Going back makes an older state the present one; what ran since is lost, and states on both
// sides of a fork in the road keep their place, for named checkpoints. Pure; one thread; one for each session.
//
// Limit: kStatesMax states are remembered; past it those nobody can go back to are forgotten, then the oldest.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace capsule {

using SnapshotId = uint64_t;

// Where the session begins: in the namespace of a fresh worker, which can be had again at any time, or in one that
// cannot (a fork, a durable checkpoint).
enum class Origin { kFresh, kUnique };

class StateTree {
 public:
  static constexpr size_t kStatesMax = 4096;

  explicit StateTree(Origin origin);

  // ---- what happened
  void run_kept(std::string run_id);
  void taken(SnapshotId snapshot, std::string checkpoint);  // of the present state; checkpoint: its name, or empty
  void gone(SnapshotId snapshot);                           // used up, evicted or dead
  // The present state is now that snapshot's. nullopt: a fresh namespace.
  void went_back(std::optional<SnapshotId> snapshot);

  // ---- what is
  struct Entry {
    uint64_t state;
    std::string checkpoint;
    bool leads_here = true;  // the present state came from it; kept up to date, for each verdict asks
  };
  const std::map<SnapshotId, Entry>& snapshots() const { return snapshots_; }
  std::optional<SnapshotId> find_checkpoint(const std::string& name) const;
  size_t checkpoints() const;
  // The present state can be had again without losing a run.
  bool is_covered() const;
  // The snapshot that loses the fewest runs; one without a name if two lose the same. nullopt: a fresh namespace, or
  // nothing at all.
  std::optional<SnapshotId> fallback() const;
  // Runs between it (nullopt: the beginning) and the present, oldest first. All are counted; named are the latest
  // `named_max` that are remembered.
  struct Runs {
    uint64_t count = 0;
    std::vector<std::string> ids;
  };
  Runs runs_since(std::optional<SnapshotId> snapshot, size_t named_max = kStatesMax) const;
  // What to go back to for `runs` runs less. nullopt: a fresh namespace.
  Result<std::optional<SnapshotId>> undo(uint64_t runs) const;
  // Unnamed ones that no longer lead to the present, then the oldest beyond `keep` unnamed ones.
  std::vector<SnapshotId> superfluous(size_t keep) const;
  std::optional<SnapshotId> oldest_unnamed() const;

 private:
  struct State {
    uint64_t parent;  // 0: none
    uint64_t depth;   // runs since the beginning
    std::string run_id;
    Origin origin;  // of the line of runs it belongs to
  };
  bool is_on_the_way(uint64_t state) const;
  uint64_t depth() const { return states_.at(present_).depth; }
  void forget_old();

  std::map<uint64_t, State> states_;
  std::map<SnapshotId, Entry> snapshots_;
  uint64_t present_ = 1, last_state_ = 1;
};

}  // namespace capsule
