// The snapshots of one session: parked copies of its worker, and which state each of them holds. Takes them, wakes
// them, lets them go. Owned by the session, which says when; what to go back to is StateTree's decision.
//
// One thing at a time: a snapshot is taken of an idle worker, and while one is being taken the session starts no run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "manager/pool/copy_maker.h"
#include "manager/pool/pool.h"
#include "manager/sessions/snapshot_schedule.h"
#include "manager/sessions/state_tree.h"

namespace capsule {

struct SnapshotLimits {
  size_t kept = 0;         // without a name, in one session
  size_t checkpoints = 0;  // with one
};

class Snapshots {
 public:
  using Taken = std::function<void(Result<SnapshotId>)>;
  struct Return {
    std::function<void(Result<std::shared_ptr<Worker>>)> on_worker;  // has no holder yet, and will say hello
    std::function<void(Status)> on_swept;                            // afterwards: what the old one started is gone
  };

  static constexpr seconds kPatience{10};  // for a worker or a snapshot to make a copy of itself

  // `session`: whom lines of the log are about.
  Snapshots(Loop& loop, Metrics& metrics, const Worker::Holder& session, Origin origin, RollbackMode mode,
            SnapshotLimits limits);

  const StateTree& tree() const { return tree_; }
  SnapshotSchedule& schedule() { return schedule_; }
  const ParkedCopy* find(SnapshotId id) const;
  // Of all of them; those that do not answer in time are left out.
  using Measured = std::function<void(const std::map<SnapshotId, ParkedCopy::Memory>&)>;
  void measure(Measured done);
  const std::string& refused() const { return refused_; }   // why the present state has none
  std::string name_of(std::optional<SnapshotId> id) const;  // "snapshot-3", a checkpoint's name, or nothing

  void run_kept(const std::string& run_id, Duration ran, TimePoint now);
  // Of the lease's idle worker. `checkpoint`: the name to keep it under, or empty.
  void take(const Lease& lease, std::string checkpoint, Taken done);
  // The same, for who asks and not for the session: it holds the present state, and nothing goes back to it.
  void take_aside(const Lease& lease, CopyMaker::Made done) { take_into(lease, lease.capsule, std::move(done)); }
  // Such a copy that lives in `home`, a capsule inside the lease's: what a fork of the session begins as.
  void take_into(const Lease& lease, const std::shared_ptr<CapsuleProcess>& home, CopyMaker::Made done);
  bool is_taking() const { return taking_ != nullptr; }
  bool heard(const Branched& claim);  // from the worker; false: nobody asked
  void worker_is_gone();              // an answer it owes will not come
  void go_back(const Lease& lease, SnapshotId to, uint64_t worker_id, Return events);
  void give_up_return();  // nothing more is heard of a go_back() under way
  void began_anew();      // in a fresh namespace; checkpoints are still there
  bool forget(SnapshotId id);
  void clear(Origin origin);
  bool drop_oldest();  // to make room; never the fallback. False: there is none

 private:
  struct Taking {
    CopyMaker::Origin origin;
    UniqueFd link;
    CopyMaker::Made done;
    bool claimed = false;
  };
  void taken(Result<std::unique_ptr<ParkedCopy>> copy);
  void died(SnapshotId id);
  void wake(const Lease& lease, std::unique_ptr<ParkedCopy> copy, uint64_t worker_id, const Return& events);
  void drop_superfluous();

  Loop& loop_;
  Metrics& metrics_;
  const Worker::Holder& session_;
  SnapshotLimits limits_;
  CopyMaker maker_;
  StateTree tree_;
  SnapshotSchedule schedule_;
  std::map<SnapshotId, std::unique_ptr<ParkedCopy>> copies_;
  std::unique_ptr<Taking> taking_;
  Timer patience_;
  std::string refused_;
  SnapshotId last_id_ = 0;
  SnapshotId taking_id_ = 0;
  uint64_t return_ = 0;   // the latest; an answer to an earlier one comes too late
  Duration last_took_{};  // what the worker was busy with the latest copy
};

}  // namespace capsule
