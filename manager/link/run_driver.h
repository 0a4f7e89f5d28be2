// Drives one run on one worker: puts its files in place, sends it, pumps its pipes, climbs the ladder, and in the end
// says how it ended. It holds the worker while the run lasts. Decisions are RunEnding's and OutputBudget's; this is the
// shell around them.
//
// A client that does not take what it gets makes its program wait: in `print`, because the pipes are not read, and in
// `display`, because it is not acknowledged. A worker that sends displays all the same is ended.
//
// Order: `display`, `result` and `finished` are barriers. The worker flushes before it sends them; here both pipes are
// read empty before they are passed on, so all output comes before them.
#pragma once

#include <functional>
#include <memory>

#include "manager/files/placing.h"
#include "manager/link/limit_guard.h"
#include "manager/link/run_bounds.h"
#include "manager/link/run_ending.h"
#include "manager/link/stack_probe.h"
#include "manager/output/input_writer.h"
#include "manager/output/pipe_reader.h"
#include "manager/pool/pool.h"
#include "manager/schedule/run.h"
#include "manager/schedule/run_settings.h"

namespace capsule {

class RunDriver : public Worker::Holder {
 public:
  // Called once, from the loop and not from inside another call. The worker has no holder any more.
  using Done = std::function<void(const Ending&)>;

  RunDriver(Loop& loop, std::shared_ptr<Run> run, Lease lease, RunSettings settings, Metrics& metrics, Done done);
  ~RunDriver() override;

  void start();
  void stop(StopReason reason);
  void kill(StopReason reason);
  Status input(const Input& input);
  void listener_can_take_more();
  // Of the program, which goes on; as its worker told it. kConflict before it has started.
  void tell_stack(StackProbe::Answer answer);

  const Run& run() const { return *run_; }
  const Lease& lease() const { return lease_; }
  OutputCount output_count() const;
  size_t open_streams() const { return (stdout_ ? 1u : 0u) + (stderr_ ? 1u : 0u) + (stdin_ ? 1u : 0u); }
  // What left-over processes and threads of this run go on writing is read by its pipes, which outlive the driver in a
  // session.
  std::pair<std::unique_ptr<PipeReader>, std::unique_ptr<PipeReader>> take_pipes();

  void worker_said(Message message) override;
  void worker_died(const Exited& report) override;
  void worker_link_closed() override;
  void worker_lost(LostWhy why) override;
  LogIds works_for() const override { return {run_->request_id, run_->request.session, run_->id}; }

 private:
  void place_files();
  void start_program();
  bool is_preparing() const { return placing_ || bounds_.is_waiting(); }
  void not_started(StopReason reason);
  Status make_pipes();
  void send_execute();
  void take_display(Display display);
  void release_displays();
  void take_chunk(Stream stream, std::string_view chunk);
  void drain();
  void act(StopAction action);
  void limit_passed(StopReason which);
  void kill_worker();
  void settle();  // arms the timer, or finishes when there is an ending
  void finish();
  Evidence make_evidence(const Ending& ending);
  void add_stack(Evidence& evidence);
  void note_slow();
  Usage make_usage();
  void count_end(const Ending& ending);
  void broke_protocol(const std::string& what);
  std::shared_ptr<RunClient> listener() const { return run_->listener.lock(); }

  Loop& loop_;
  std::shared_ptr<Run> run_;
  Lease lease_;
  RunSettings settings_;
  Metrics& metrics_;
  Done done_;
  RunEnding ending_;
  OutputBudget budget_;
  Timer timer_;
  Timer slow_timer_;
  StackProbe stacks_;
  RunBounds bounds_;
  std::unique_ptr<Placing> placing_;  // until the program starts
  std::unique_ptr<LimitGuard> guard_;
  std::string stack_, stack_missing_;
  bool is_killing_ = false;  // or about to: its stack first
  bool told_crash_ = false;
  std::unique_ptr<PipeReader> stdout_, stderr_;
  std::unique_ptr<InputWriter> stdin_;
  std::vector<UniqueFd> worker_ends_;  // of the pipes, until they are sent
  Finished claim_;
  std::optional<Exited> report_;
  uint64_t held_display_ = 0;  // the latest that was not acknowledged: the client takes nothing
  size_t displays_held_ = 0;
  std::optional<Message> result_;  // goes out with the verdict, which is right behind it
  bool finished_ = false;
};

}  // namespace capsule
