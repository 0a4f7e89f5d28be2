// A named, stateful namespace that outlives runs: one capsule, one worker at a time. Owned by the SessionRegistry.
//
// When its worker is lost (crash, kill after an ignored interrupt, os._exit, lost link) the session goes on in the same
// capsule with its latest snapshot, or with a fresh worker when there is none: what the dead run started is swept,
// files stay as they are.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "manager/link/run_driver.h"
#include "manager/link/spare_memory.h"
#include "manager/observe/trace_buffer.h"
#include "manager/pool/pool.h"
#include "manager/sessions/lineage.h"
#include "manager/sessions/save_job.h"
#include "manager/sessions/session_state.h"
#include "manager/sessions/snapshots.h"

namespace capsule {

// What a fork begins as: a parked copy of the session's worker, in a capsule inside the session's.
struct ForkedCopy {
  std::shared_ptr<CapsuleProcess> capsule;
  std::unique_ptr<ParkedCopy> copy;
  std::vector<Layer> worker_layers;
};

class Session : public Worker::Holder, public std::enable_shared_from_this<Session> {
 public:
  // What led to the present namespace.
  struct History {
    std::string parent_checkpoint;                           // which it began with
    std::vector<std::pair<std::string, std::string>> codes;  // run id, code; as far back as is kept
    uint64_t runs = 0;
  };
  struct Start {
    std::string id;
    uid_t uid;
    Duration idle_timeout;
    int64_t created_wall_ms;
    SessionLimits limits = {};
    std::map<std::string, std::string> secrets = {};  // never logged, never shown
    RollbackMode rollback = RollbackMode::kIdle;
    SnapshotLimits snapshots = {};
    std::optional<CheckpointStore::Opened> from = {};  // a durable checkpoint to begin with
    PlacePtr parent = {};                              // of the session it is a fork of
    std::shared_ptr<const History> history = {};       // of a fork: what led to its original
    std::optional<ForkedCopy> fork = {};
  };
  struct SaveRequest {
    std::string checkpoint, notes;
    bool with_code = false;
  };
  struct Events {
    std::function<void()> on_ready;                   // has a worker (again)
    std::function<void()> on_broken;                  // has none for now
    std::function<void(const Error& why)> on_failed;  // cannot get one: the session is over
  };
  using Answer = std::function<void(Status)>;
  // What an undo or a restore did.
  using WentBack = std::function<void(Result<Rollback>)>;

  // What left-over threads and processes of finished runs print, kept apart from the next runs' output.
  static constexpr size_t kOldPipes = 8;  // pairs beyond are closed, oldest first: their writers get SIGPIPE
  static constexpr size_t kLateTailBytes = 4096;
  static constexpr size_t kWaitingActs = 64;

  static constexpr milliseconds kIdleLook{5};  // at the least between two looks whether it is idle
  static constexpr const char* kClosedLink = "closed its link";
  static constexpr const char* kNoCopyInTime = "did not make a copy of itself in time";
  static constexpr seconds kReturnPatience{5};  // for a woken snapshot; then the next older one is tried

  static constexpr uint64_t kTasksOfCopying = 5;  // a worker that takes another's place, a copy that is not one yet
  static constexpr size_t kSaves = 4;             // durable checkpoints under way
  static constexpr size_t kCodeBytes = 1u << 20;  // of the runs that led to the present state; the oldest go first

  Session(Loop& loop, Pool& pool, CheckpointService& checkpoints, Start start, Metrics& metrics);
  ~Session() override;
  void begin(Events events);

  const std::string& id() const { return start_.id; }
  uid_t uid() const { return start_.uid; }
  const std::string& profile() const { return pool_.profile().name; }
  Pool& pool() const { return pool_; }
  SessionState state() const { return state_; }
  uint64_t state_number() const { return state_number_; }  // another one: its namespace may be another one, too
  SpareMemory spare_memory();                              // for the run that begins
  bool is_saving() const { return !saves_.empty() || snapshots_.is_taking(); }
  size_t parked_copies() const { return snapshots_.tree().snapshots().size() + saves_.size(); }
  const SessionLimits& limits() const { return start_.limits; }
  const std::map<std::string, std::string>& secrets() const { return start_.secrets; }
  int64_t created_wall_ms() const { return start_.created_wall_ms; }
  TimePoint last_used() const { return last_used_; }
  TimePoint closes_at() const;
  uint64_t runs() const { return runs_; }
  const Lease& lease() const { return lease_; }
  uint64_t late_bytes() const { return late_bytes_; }
  const std::string& late_tail() const { return late_tail_; }
  bool is_resetting() const { return !reset_answers_.empty(); }
  const Snapshots& snapshots() const { return snapshots_; }
  void measure_snapshots(Snapshots::Measured done) { snapshots_.measure(std::move(done)); }
  RollbackMode rollback_mode() const { return start_.rollback; }

  bool is_free() const { return state_ == SessionState::kReady && !snapshots_.is_taking() && !forking_ && !inspected_; }
  // Whether a run in this mode has to wait for a snapshot, which is then begun: on_ready follows.
  bool takes_snapshot_before(RollbackMode mode, uint64_t trace_key);
  Lease begin_run(const Run& run);                                      // must be free
  const std::shared_ptr<TraceBuffer>& trace() const { return trace_; }  // of its runs
  // What became of the variables, for the verdict. Said once the session is ready again, or cannot be for now.
  struct AfterRun {
    std::string state;   // kept, rolled_back, fresh, gone; not kept also when they were lost before this run began
    std::string detail;  // how they were lost, when that was not this run's doing
    std::optional<Rollback> rollback;
    std::optional<Fallback> fallback;
  };
  using Ended = std::function<void(AfterRun)>;
  void end_run(RunDriver& driver, const Ending& ending, Ended done);
  void reset(Answer answer);
  void undo(uint64_t runs, WentBack answer);
  void checkpoint(const std::string& name, Answer answer);
  void restore(const std::string& name, WentBack answer);
  Status forget_checkpoint(const std::string& name);
  // To the disk, while the session goes on.
  void save(SaveRequest request, SaveJob::Done answer);
  // What its worker tells of its namespace, as it told it: hostile text. A run waits meanwhile; of a busy session the
  // answer is a conflict.
  using Inspected = std::function<void(const Result<std::string>& told)>;
  void inspect(Inspected answer);
  // Frames of its workers, whichever these are, until the session or the client goes.
  Status tap(FrameTap::Listener listener);
  void untap(ClientKey client);
  // Copies of the present state, each for a session of its own: of() makes what such a session starts with. A run waits
  // until all are made.
  using Forked = std::function<void(Result<std::vector<ForkedCopy>>)>;
  struct ForkPlan {
    size_t count;
    Pool::Nest nest;
    std::shared_ptr<CapsuleProcess> prepared = {};  // by nest_in_advance(); for the first of those asked for
  };
  void fork(ForkPlan plan, Forked answer);
  // An empty capsule for a fork to come, which has the files that there are now.
  void nest_in_advance(CapsuleProcess::NestedMade made);
  Start of(ForkedCopy copy, std::string id, int64_t created_wall_ms) const;
  void give_back(ForkedCopy copy);  // one that nobody wants after all
  const PlacePtr& place() const { return place_; }
  // Once no snapshot or return is under way; while a run is, the status is a conflict.
  void when_idle(std::function<void(Status)> act) { when_free(std::move(act)); }
  // It goes on under another name: that of the session it takes the place of, which has its place until it is closed.
  void take_place_of(Session& other);
  // A fork that was made before it was asked for gets its name, and is somebody's from now on.
  void begin_life(std::string id, int64_t created_wall_ms);
  void set_events(Events events) { events_ = std::move(events); }
  const std::string& restore_report() const { return restore_report_; }  // JSON; empty: it began without a checkpoint
  void close();

  void worker_said(Message message) override;
  void worker_died(const Exited& report) override;
  void worker_link_closed() override;
  void worker_lost(LostWhy why) override;
  // With the latest run: what happens to the session happens to it.
  LogIds works_for() const override { return {latest_request_, id(), latest_run_}; }

 private:
  // A worker that was given up between two runs: how it ended may still be on its way through the keeper.
  class LastWords : public Worker::Holder {
   public:
    explicit LastWords(std::string& how) : how_(how) {}
    void worker_said(Message) override {}
    void worker_died(const Exited& report) override;
    void worker_link_closed() override {}
    void worker_lost(LostWhy) override {}

   private:
    std::string& how_;
  };
  bool apply(SessionEvent event);
  void hold_worker();
  void worker_is_gone();                      // what it owes will not come
  bool told_namespace(const Report& report);  // false: nobody asked
  void end_inspection(const Result<std::string>& told);
  uint64_t tasks_between_runs() const;
  uint64_t tasks_at_most() const;
  bool holds_limits();
  void loosen();
  void adopt(Lease lease);
  void lose_worker(label::Recycle why);
  void lose_between_runs(label::Recycle why, const std::string& how);
  // Does it once no run, snapshot or return is under way; while a run is, the answer is a conflict.
  void when_free(std::function<void(Status)> act);
  void act_when_free(Status status);
  void take_snapshot(std::string checkpoint, Answer answer);
  void begin_save(const SaveRequest& request, std::unique_ptr<ParkedCopy> copy, const SaveJob::Done& answer);
  std::string facts_of(const SaveRequest& request) const;
  History history() const;
  void remember_code(const std::string& run_id);
  void fill_namespace();
  void namespace_filled(const Report& report);
  void move_in();
  void make_next_fork();
  void try_prepared(const std::shared_ptr<CapsuleProcess>& capsule);
  void fork_into(const std::shared_ptr<CapsuleProcess>& capsule);
  void copy_into(const std::shared_ptr<CapsuleProcess>& capsule, CopyMaker::Made made);
  void forked(Result<std::unique_ptr<ParkedCopy>> copy, const std::shared_ptr<CapsuleProcess>& capsule);
  void end_forking(const Status& status);
  void take_checkpoint(const std::string& name, const Answer& answer);
  void watch_idleness();
  void go_to(std::optional<SnapshotId> target, WentBack answer);
  void start_next_worker();
  void retire_worker();
  void go_back(SnapshotId to);
  void worker_cannot_begin(const std::string& why);
  void return_failed(SnapshotId to, const std::string& why);
  void start_fresh_worker();
  void came_back();
  void note_loss(std::optional<SnapshotId> target);
  AfterRun describe_return(std::string otherwise);
  void say_how_run_ended();
  Fallback fallback() const;
  void answer_returns(const Result<Rollback>& result);
  void take_another_capsule();
  void forget_previous();
  void acquire_capsule();
  void worker_started(Result<std::shared_ptr<Worker>> started);
  void ready();
  void fail(const Error& why);
  void keep_old_pipes(RunDriver& driver);
  void close_oldest_pipes();
  void take_late(std::string_view chunk);
  void answer_resets(const Status& status);

  Loop& loop_;
  Pool& pool_;
  Start start_;
  Metrics& metrics_;
  Events events_;
  SessionState state_ = SessionState::kStarting;
  uint64_t state_number_ = 0;
  Lease lease_;
  std::shared_ptr<Worker> previous_;  // a lost worker, until another is ready
  Pool::Ticket ticket_ = 0;
  Snapshots snapshots_;
  Timer idle_timer_, return_timer_, verdict_timer_, inspect_timer_;
  bool is_watching_ = false;  // idle_timer_ is set
  label::Recycle lost_why_ = label::Recycle::kSession;
  // A return under way: its story so far, and what has yet to happen.
  enum class Aim { kNearest, kExact };  // what loses least; what somebody asked for
  struct Returning {
    TimePoint since;
    Rollback story;
    Aim aim;
    std::optional<SnapshotId> target;  // nullopt: a fresh namespace
    bool said_hello = false, swept = false;
  };
  std::optional<Returning> returning_;
  std::optional<Rollback> last_return_;  // for the verdict that comes next
  Ended after_return_;                   // the verdict that waits
  std::vector<WentBack> return_answers_;
  std::deque<std::function<void(Status)>> when_free_;  // at most kWaitingActs
  std::vector<Answer> reset_answers_;
  std::deque<std::unique_ptr<PipeReader>> old_pipes_;
  std::shared_ptr<TraceBuffer> trace_ = std::make_shared<TraceBuffer>(TraceBuffer::kSessionMarks);
  uint64_t traced_run_ = 0;                  // the latest that began; what happens to the session happens to it
  std::string latest_run_, latest_request_;  // ids of the same
  TimePoint last_used_;
  PlacePtr place_;
  uint64_t runs_ = 0;
  CheckpointService& checkpoints_;
  std::list<std::unique_ptr<SaveJob>> saves_;
  std::unique_ptr<CheckpointLoad> load_;
  bool is_filling_ = false;
  TimePoint filling_since_{};
  uint64_t filling_bytes_ = 0;  // before compression
  bool is_moving_in_ = false;   // a fork that has not said hello
  struct Forking {
    ForkPlan plan;
    Forked answer;
    std::vector<ForkedCopy> made = {};
  };
  std::unique_ptr<Forking> forking_;
  Inspected inspected_;  // who waits for what the worker tells
  uint64_t last_inspection_ = 0;
  std::shared_ptr<FrameTap> tap_;  // while somebody watches
  std::string restore_report_, parent_checkpoint_;
  std::string code_;                                       // of the run under way
  std::deque<std::pair<std::string, std::string>> codes_;  // run id, code; of runs that were kept
  size_t code_bytes_ = 0;
  std::string lost_before_;  // how the worker was lost since the last run; empty when it was not
  std::string unsaved_why_;  // why no snapshot could be taken before the last loss
  LastWords last_words_{lost_before_};
  uint64_t late_bytes_ = 0;
  std::string late_tail_;
};

}  // namespace capsule
