// A named, stateful namespace that outlives runs: one capsule, one worker at a time. Owned by the SessionRegistry.
//
// When its worker is lost (crash, kill after an ignored interrupt, os._exit, lost link) the session goes on with a
// fresh one in the same capsule: what the dead run started is swept, files stay, variables are gone.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "manager/link/run_driver.h"
#include "manager/pool/pool.h"
#include "manager/sessions/session_state.h"

namespace capsule {

class Session : public Worker::Holder, public std::enable_shared_from_this<Session> {
 public:
  struct Start {
    std::string id;
    uid_t uid;
    Duration idle_timeout;
    int64_t created_wall_ms;
    SessionLimits limits = {};
    std::map<std::string, std::string> secrets = {};  // never logged, never shown
  };
  struct Events {
    std::function<void()> on_ready;                   // has a worker (again)
    std::function<void()> on_broken;                  // has none for now
    std::function<void(const Error& why)> on_failed;  // cannot get one: the session is over
  };
  using Answer = std::function<void(Status)>;

  // What left-over threads and processes of finished runs print, kept apart from the next runs' output.
  static constexpr size_t kOldPipes = 8;  // pairs beyond are closed, oldest first: their writers get SIGPIPE
  static constexpr size_t kLateTailBytes = 4096;

  Session(Pool& pool, Start start, Metrics& metrics);
  ~Session() override;
  void begin(Events events);

  const std::string& id() const { return start_.id; }
  uid_t uid() const { return start_.uid; }
  const std::string& profile() const { return pool_.profile().name; }
  SessionState state() const { return state_; }
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

  Lease begin_run();  // must be ready
  // What became of the variables, for the verdict: "fresh" also when they were lost before this run began.
  struct AfterRun {
    std::string state;   // kept, fresh
    std::string detail;  // how they were lost, when that was not this run's doing
  };
  AfterRun end_run(RunDriver& driver, const Ending& ending);
  void reset(Answer answer);
  void close();

  void worker_said(Message message) override;
  void worker_died(const Exited& report) override;
  void worker_link_closed() override;
  void worker_lost(LostWhy why) override;

 private:
  bool apply(SessionEvent event);
  void adopt(Lease lease);
  void lose_worker(label::Recycle why);
  void lose_between_runs(label::Recycle why, const std::string& how);
  void start_next_worker();
  void take_another_capsule();
  void forget_previous();
  void acquire_capsule();
  void worker_started(Result<std::shared_ptr<Worker>> started);
  void ready();
  void fail(const Error& why);
  void keep_old_pipes(RunDriver& driver);
  void take_late(std::string_view chunk);
  void answer_resets(const Status& status);

  Pool& pool_;
  Start start_;
  Metrics& metrics_;
  Events events_;
  SessionState state_ = SessionState::kStarting;
  Lease lease_;
  std::shared_ptr<Worker> previous_;  // a lost worker, until its capsule is swept
  Pool::Ticket ticket_ = 0;
  label::Recycle lost_why_ = label::Recycle::kSession;
  std::vector<Answer> reset_answers_;
  std::deque<std::unique_ptr<PipeReader>> old_pipes_;
  TimePoint last_used_;
  uint64_t runs_ = 0;
  std::string lost_before_;  // how the variables were lost since the last run; empty when they were not
  uint64_t late_bytes_ = 0;
  std::string late_tail_;
};

}  // namespace capsule
