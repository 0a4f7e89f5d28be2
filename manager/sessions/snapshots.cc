#include "manager/sessions/snapshots.h"

#include "base/posix_io.h"
#include "manager/observe/log.h"

namespace capsule {
namespace {
constexpr seconds kMeasurePatience{2};
}

Snapshots::Snapshots(Loop& loop, Metrics& metrics, const Worker::Holder& session, Origin origin, RollbackMode mode,
                     SnapshotLimits limits)
    : loop_(loop),
      metrics_(metrics),
      session_(session),
      limits_(limits),
      maker_(loop, metrics),
      tree_(origin),
      schedule_(mode),
      patience_(loop) {}

const ParkedCopy* Snapshots::find(SnapshotId id) const {
  const auto found = copies_.find(id);
  return found == copies_.end() ? nullptr : found->second.get();
}

void Snapshots::measure(Measured done) {
  struct Round {
    Timer patience;
    Measured done;
    size_t left = 0;
    std::map<SnapshotId, ParkedCopy::Memory> found = {};
    void finish() {
      patience.cancel();
      if (done) std::exchange(done, nullptr)(found);
    }
  };
  const auto round = std::make_shared<Round>(Round{Timer(loop_), std::move(done), copies_.size()});
  if (copies_.empty()) return round->finish();
  round->patience.after(kMeasurePatience, [round] { round->finish(); });
  for (const auto& [id, copy] : copies_) {
    copy->measure([round, id = id](std::optional<ParkedCopy::Memory> memory) {
      if (memory) round->found[id] = *memory;
      if (--round->left == 0) round->finish();
    });
  }
}

std::string Snapshots::name_of(std::optional<SnapshotId> id) const {
  if (!id) return {};
  const auto found = tree_.snapshots().find(*id);
  if (found != tree_.snapshots().end() && !found->second.checkpoint.empty()) return found->second.checkpoint;
  return "snapshot-" + std::to_string(*id);
}

void Snapshots::run_kept(const std::string& run_id, Duration ran, TimePoint now) {
  tree_.run_kept(run_id);
  schedule_.run_ended(now, ran);
}

void Snapshots::take(const Lease& lease, std::string checkpoint, Taken done) {
  auto kept = [this, name = std::move(checkpoint), done](Result<std::unique_ptr<ParkedCopy>> copy) {
    if (!copy) {
      refused_ = copy.error().message;
      copy.error().code == Errc::kUnavailable ? schedule_.refused() : schedule_.failed();
      return done(tl::unexpected<Error>(copy.error()));
    }
    const SnapshotId id = taking_id_;
    copies_[id] = std::move(*copy);
    tree_.taken(id, name);
    if (name.empty()) schedule_.taken(last_took_);
    refused_.clear();
    drop_superfluous();
    done(id);
  };
  take_aside(lease, std::move(kept));
}

void Snapshots::take_into(const Lease& lease, const std::shared_ptr<CapsuleProcess>& home, CopyMaker::Made done) {
  if (taking_) return done(failure(Errc::kConflict, "a snapshot of this session is being taken"));
  auto link = make_stream_socketpair();
  if (!link) return done(tl::unexpected<Error>(link.error()));
  const pid_t original = lease.worker->pid_in_capsule();
  taking_ =
      std::make_unique<Taking>(Taking{{lease.capsule, home, original}, std::move(link->first), std::move(done), false});
  taking_id_ = ++last_id_;
  Branch branch;
  branch.id = taking_id_;
  branch.name = "snapshot-" + std::to_string(taking_id_);
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(link->second));
  lease.capsule->expect_copy(original, *home);
  branch.nested = home != lease.capsule;
  if (branch.nested) {
    for (UniqueFd& fd : home->take_namespaces()) fds.push_back(std::move(fd));
  }
  lease.worker->send(branch, std::move(fds));
  patience_.after(kPatience, [this] {
    maker_.give_up();
    taken(failure(Errc::kTimedOut, "the worker did not answer in time"));
  });
}

bool Snapshots::heard(const Branched& claim) {
  if (!taking_ || claim.re != taking_id_ || std::exchange(taking_->claimed, true)) return false;
  last_took_ = microseconds(claim.took_us);
  if (!claim.failure.empty()) {
    taken(failure(Errc::kUnavailable, claim.failure));
    return true;
  }
  maker_.keep(
      taking_->origin, std::move(taking_->link), claim, [this, id = taking_id_] { died(id); },
      [this, id = taking_id_](Result<std::unique_ptr<ParkedCopy>> copy) {
        if (id == taking_id_) taken(std::move(copy));
      });
  return true;
}

void Snapshots::died(SnapshotId id) {
  if (!forget(id)) return;
  log_about(session_.works_for(), LogLevel::kWarning, "a snapshot died", {{"snapshot", std::to_string(id)}});
}

void Snapshots::taken(Result<std::unique_ptr<ParkedCopy>> copy) {
  if (!taking_) return;
  const auto taking = std::exchange(taking_, nullptr);
  patience_.cancel();
  taking->origin.capsule->expect_no_copy(taking->origin.original);
  if (copy) {
    metrics_.snapshot(label::Snapshot::kTaken, last_took_);
  } else {
    const bool refused = copy.error().code == Errc::kUnavailable;
    log_about(session_.works_for(), LogLevel::kInfo, "no snapshot could be taken", {{"why", copy.error().message}});
    metrics_.snapshot(refused ? label::Snapshot::kRefused : label::Snapshot::kFailed, Duration::zero());
  }
  taking->done(std::move(copy));
}

void Snapshots::worker_is_gone() {
  if (taking_) taken(failure(Errc::kClosed, "the worker was lost while its snapshot was taken"));
}

// A checkpoint stays for the next time: what is woken is a copy of it.
void Snapshots::go_back(const Lease& lease, SnapshotId to, uint64_t worker_id, Return events) {
  const auto found = copies_.find(to);
  const bool is_checkpoint = !tree_.snapshots().at(to).checkpoint.empty();
  schedule_.rolled_back();
  refused_.clear();
  if (!is_checkpoint) {
    auto copy = std::move(found->second);
    copies_.erase(found);
    tree_.went_back(to);
    tree_.gone(to);
    return wake(lease, std::move(copy), worker_id, events);
  }
  patience_.after(kPatience, [this, events] {
    give_up_return();
    maker_.give_up();
    events.on_worker(failure(Errc::kTimedOut, "the checkpoint did not answer"));
  });
  maker_.copy_of(
      lease.capsule, *found->second, "worker-" + std::to_string(worker_id), [] {},
      [this, lease, to, worker_id, events, attempt = ++return_](Result<std::unique_ptr<ParkedCopy>> copy) {
        if (attempt != return_) return;
        patience_.cancel();
        if (!copy) return events.on_worker(tl::unexpected<Error>(copy.error()));
        tree_.went_back(to);
        wake(lease, std::move(*copy), worker_id, events);
      });
}

// The sweep goes out first, and spares what is woken: it may stand still for a moment, and comes round afterwards.
void Snapshots::wake(const Lease& lease, std::unique_ptr<ParkedCopy> copy, uint64_t worker_id, const Return& events) {
  if (!copy->is_reachable()) return events.on_worker(failure(Errc::kClosed, "it has died"));
  const pid_t pid = copy->pid_in_capsule();
  lease.capsule->sweep(pid, events.on_swept);
  auto [link, pidfd] = copy->take();
  auto worker = lease.capsule->adopt_worker(worker_id, std::move(link), std::move(pidfd), pid,
                                            lease.worker ? lease.worker->hello().layers : std::vector<Layer>());
  worker->send(Wake{worker->name()});
  drop_superfluous();
  events.on_worker(std::move(worker));
}

void Snapshots::give_up_return() {
  ++return_;
  if (!taking_) patience_.cancel();
}

void Snapshots::began_anew() {
  tree_.went_back(std::nullopt);
  schedule_.rolled_back();
  refused_.clear();
  drop_superfluous();
}

// Whoever waits for an answer of the copy is told now, and may come here again.
bool Snapshots::forget(SnapshotId id) {
  tree_.gone(id);
  const auto dropped = copies_.extract(id);
  return !dropped.empty();
}

void Snapshots::clear(Origin origin) {
  const auto dropped = std::exchange(copies_, {});  // they go when all the rest is done
  give_up_return();
  maker_.give_up();
  tree_ = StateTree(origin);
  schedule_ = SnapshotSchedule(schedule_.mode());
  if (origin == Origin::kUnique) {  // it cannot be had again: the first run waits for a snapshot, or idleness brings it
    schedule_.run_ended(now(), Duration::zero());
    schedule_.rolled_back();
  }
  refused_.clear();
}

bool Snapshots::drop_oldest() {
  const auto oldest = tree_.oldest_unnamed();
  if (!oldest || oldest == tree_.fallback()) return false;
  metrics_.snapshot_evicted();
  return forget(*oldest);
}

void Snapshots::drop_superfluous() {
  for (const SnapshotId id : tree_.superfluous(limits_.kept)) forget(id);
}

}  // namespace capsule
