// Takes accepted runs through the manager: queue, lease, drive, verdict. Admission says which are accepted; the
// scheduler decides which goes next; pools and sessions give workers; a RunDriver does the run. Every accepted run ends
// here, exactly once, with one verdict.
//
// Owned by the manager; lives on the loop's thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "manager/config.h"
#include "manager/link/run_driver.h"
#include "manager/schedule/run_admission.h"
#include "manager/schedule/scheduler.h"
#include "manager/storage/run_records.h"

namespace capsule {

class Dispatcher {
 public:
  // For who keeps records. Called from inside; must not come back.
  struct Events {
    std::function<void(const Run&)> on_finished;
    // Of a run that was accepted before: its limits were lowered, or it is refused after all. `reason` as in refusal().
    std::function<void(const Run&, label::Ruling, std::string_view reason)> on_ruled;
  };

  Dispatcher(Loop& loop, const Config& config, Pools& pools, SessionRegistry& sessions, FileService& files,
             RunRecords& records, Metrics& metrics, unsigned worker_user, Events events);

  // The run is queued, or the reason why not. `default_profile` is for requests that name none.
  Result<Accepted> submit(Execute request, const Submitter& submitter, const std::string& default_profile);
  // Why the latest submit() said no: a word of labels.h.
  std::string_view refusal() const { return admission_.refusal(); }
  // So many further workers, for one-shot runs or sessions of this user.
  bool may_hold_workers(uid_t uid, uint64_t more) const;
  // Runs of another uid do not exist for this one.
  Status cancel(const std::string& run_id, uid_t uid);
  // Where a run is now, as JSON; it goes on. Of one's own runs, as with cancel().
  using Answer = std::function<void(Result<std::string>)>;
  void stack(const std::string& run_id, uid_t uid, const Answer& answer);
  Status input(const Input& input, ClientKey client);
  void client_gone(ClientKey client);
  void client_can_take_more(ClientKey client);

  void session_ready(const std::string& id);
  void session_broken(const std::string& id);
  void session_closed(const std::string& id, const Error& why);

  void room_in_pools() { pump_soon(); }
  void set_limits(const Config& config);
  // No new runs from here on. `idle` is called when the last one is over.
  void drain(std::function<void()> idle);
  // Ends what is still there, now.
  void abort_all();

  const Scheduler& scheduler() const { return scheduler_; }
  bool is_idle() const { return runs_.empty(); }
  // Active runs, oldest first, then finished ones, latest first.
  std::vector<std::shared_ptr<const Run>> runs() const;
  std::shared_ptr<const Run> find(const std::string& run_id) const;  // of those; or none
  OutputCount output_of(const Run& run) const;
  std::vector<std::pair<RunId, const RunDriver*>> drivers() const;

 private:
  struct Active {
    std::shared_ptr<Run> run;
    std::unique_ptr<RunDriver> driver;
    Pool::Ticket ticket = 0;  // while it waits for a worker
    Pool* pool = nullptr;
    enum class Counted { kQueued, kWorker, kSession } counted = Counted::kQueued;  // in uids_
    std::vector<Input> early_input;  // sent before it started; bounded by the client's first credit
    uint64_t early_bytes = 0;
  };

  void pump_soon();
  void pump();
  void begin(const QueuedRun& queued);
  void leased(const RunId& id, Result<Lease> lease);
  std::vector<Layer> layers_for(const Run& run) const;
  void refuse_late(const Run& run, label::Rejection reason);
  void refuse_sandbox(const RunId& id, Lease unused, const std::string& missing);
  bool has_place_for_files(Run& run, const CapsuleProcess& capsule);  // false: the run is being dropped
  void drive(Active& active, Lease lease);
  void ended(const RunId& id, const Ending& ending);
  void end_waiting(const RunId& id, label::CancelReason reason, const std::string& why);  // somebody wants it ended
  enum class Retry { kAsVerdict, kInVain };
  void drop(const RunId& id, Verdict verdict, const std::string& why, Retry retry = Retry::kAsVerdict);
  void finish(const RunId& id);
  void expire();
  void arm();

  Loop& loop_;
  Config config_;
  Pools& pools_;
  SessionRegistry& sessions_;
  FileService& files_;
  RunRecords& records_;
  Metrics& metrics_;
  const Events events_;
  RunAdmission admission_;
  Scheduler scheduler_;
  UidUse uids_;
  Timer expiry_timer_;
  std::map<RunId, Active> runs_;  // ids grow with time
  std::deque<std::shared_ptr<const Run>> finished_;
  std::function<void()> when_idle_;
  bool draining_ = false;
  bool pumping_soon_ = false;
};

}  // namespace capsule
