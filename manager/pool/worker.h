// The manager's side of one worker: its link, its pidfd, its heartbeat, its state. Held by shared_ptr by its capsule
// and by whoever uses it. Whatever it says is hostile input; how it died comes from its keeper's wait4.
//
// At any time it has one holder (the pool, a run, a session) that is told what happens to it. Heartbeats and pongs are
// handled here.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "manager/config.h"
#include "manager/link/frame_channel.h"
#include "manager/link/heartbeat_watch.h"
#include "manager/link/run_ending.h"
#include "manager/observe/log.h"
#include "manager/pool/figure_rate.h"
#include "manager/pool/proc_stats.h"
#include "manager/pool/worker_state.h"

namespace capsule {

class Worker : public std::enable_shared_from_this<Worker> {
 public:
  class Holder {
   public:
    virtual ~Holder() = default;
    virtual void worker_said(Message message) = 0;  // never heartbeat and metric
    virtual void worker_died(const Exited& report) = 0;
    virtual void worker_link_closed() = 0;
    virtual void worker_lost(LostWhy why) = 0;  // give it up; it may still be alive
    virtual LogIds works_for() const { return {}; }
  };

  struct Start {
    uint64_t id;
    std::string name;
    std::string profile;
    UniqueFd link;
    UniqueFd pidfd;
    pid_t pid_in_capsule;
    std::vector<Layer> layers;  // of a snapshot that was woken: those of the worker it is a copy of
  };

  Worker(Loop& loop, Start start, const WorkerConfig& config, Metrics& metrics);
  void begin();  // after make_shared: reading starts

  uint64_t id() const { return id_; }
  const std::string& name() const { return name_; }
  const std::string& profile() const { return profile_; }
  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  bool is_alive() const;
  pid_t pid_in_capsule() const { return pid_in_capsule_; }
  TimePoint started_at() const { return started_at_; }
  const Hello& hello() const { return hello_; }

  WorkerState state() const { return state_; }
  bool apply(WorkerEvent event);  // false: the event cannot happen now

  void set_holder(Holder* holder) { holder_ = holder; }
  LogIds works_for() const { return holder_ != nullptr ? holder_->works_for() : LogIds(); }
  void set_tap(std::shared_ptr<FrameTap> tap) { channel_->set_tap(std::move(tap)); }
  void send(const Message& message, std::vector<UniqueFd> fds = {}) { channel_->send(message, std::move(fds)); }
  void interrupt(const std::string& run_id) { send(Cancel{0, run_id}); }
  void kill();
  // Answered by `stack`, which its holder hears.
  void ask_stack(const std::string& run_id) {
    ++stacks_asked_;
    send(Stack{0, run_id, {}});
  }
  // Really executes Python. One at a time; answered in any case while the worker lives.
  using HealthChecked = std::function<void(label::HealthOutcome)>;
  void check_health(HealthChecked done);

  // Kernel figures since the last mark(); peaks are of the whole life.
  std::optional<ProcStats> stats() const { return proc_.read(); }
  void mark();
  void mark(const ProcStats& current) { marked_ = current; }
  const ProcStats& marked() const { return marked_; }

  const HeartbeatWatch& heartbeat() const { return watch_; }
  WorkerHealth health(TimePoint at) { return watch_.check(at); }
  const Heartbeat& last_beat() const { return last_beat_; }
  uint64_t runs() const { return runs_; }
  void count_run() { ++runs_; }

  // From the capsule: the keeper reaped it, or the whole capsule is gone.
  void reaped(const Exited& report);
  void capsule_gone();

 private:
  void handle(Message message);
  void take_metric(const Metric& metric);
  void watch_heartbeat();

  Metrics& metrics_;
  uint64_t id_;
  std::string name_, profile_;
  std::shared_ptr<FrameChannel> channel_;
  UniqueFd pidfd_;
  pid_t pid_, pid_in_capsule_;
  ProcReader proc_;
  TimePoint started_at_;
  WorkerState state_ = WorkerState::kStarting;
  Holder* holder_ = nullptr;
  Hello hello_;
  std::vector<Layer> inherited_layers_;
  HeartbeatWatch watch_;
  Timer watch_timer_;
  Timer health_timer_;
  HealthChecked health_done_;
  uint64_t last_ping_ = 0;
  Heartbeat last_beat_;
  ProcStats marked_;
  uint64_t runs_ = 0;
  uint64_t stacks_asked_ = 0;  // and not answered
  FigureRate figure_rate_;
  bool said_hello_ = false;
};

}  // namespace capsule
