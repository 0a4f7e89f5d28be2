// The wiring: builds the rooms, connects them, starts and stops them in order. Decides nothing a room could decide.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "manager/audit_trail.h"
#include "manager/config.h"
#include "manager/doctor.h"
#include "manager/files/file_service.h"
#include "manager/files/scratch.h"
#include "manager/intake/listener.h"
#include "manager/memory_look.h"
#include "manager/observe/api_keys.h"
#include "manager/observe/http_exporter.h"
#include "manager/observe/info.h"
#include "manager/observe/systemd_notify.h"
#include "manager/schedule/dispatcher.h"
#include "manager/sessions/session_service.h"
#include "manager/trace_trail.h"
#include "manager/version_facts.h"

namespace capsule {

enum class Lifetime { kService, kPrivate };  // a private one goes away when nobody uses it

struct ManagerOptions {
  Config config;
  std::string config_file;  // re-read on reload; empty: none
  std::string worker_program;
  BoundSocket socket;
  std::string http;            // ADDR:PORT; empty: off
  std::string http_socket;     // path; empty: off
  std::string scratch_dir;     // ours alone; for caches and, where needed, workspaces
  std::string checkpoint_dir;  // for durable checkpoints; empty: there is no place
  std::string records_dir;     // for records of runs; the same
  std::string audit_dir;       // for the audit log; the same
  std::string trace_dir;       // for traces.jsonl; the same
  std::string api_keys;        // the file of keys for HTTP
  std::string log_level;       // above the environment and the configuration; empty: those
  BuildFacts build;
  Lifetime lifetime = Lifetime::kService;
  std::function<void()> on_ready;  // once: listening, and the default profile is warm
};

class Manager : public ClientService {
 public:
  Manager(Loop& loop, ManagerOptions options, SystemdNotify notify);
  ~Manager() override;

  Status start();
  // First: no new runs, the running ones get drain_timeout. Second: at once.
  void shut_down();
  void reload();
  void toggle_debug();  // the log's level: debug, or what was configured
  int exit_status() const { return exit_status_; }

  Hello hello() const override;
  Result<Accepted> submit(Execute request, ClientKey client, uid_t uid, std::weak_ptr<RunClient> listener) override;
  Status cancel(const std::string& run_id, uid_t uid) override;
  Status input(const Input& input, ClientKey client) override { return dispatcher_.input(input, client); }
  void can_take_more(ClientKey client) override { dispatcher_.client_can_take_more(client); }
  FileService& files() override { return files_; }
  CheckpointService& checkpoints() override { return checkpoints_; }
  RunRecords& records() override { return records_; }
  void session(const SessionRequest& request, uid_t uid, Answer answer) override;
  void trace(const std::string& run_id, uid_t uid, Answer answer) override;
  Result<std::string> info(const InfoRequest& request, uid_t uid) override;
  void stack(const std::string& run_id, uid_t uid, Answer answer) override { dispatcher_.stack(run_id, uid, answer); }
  void inspect(const std::string& id, uid_t uid, Answer answer) override { session_service_.inspect(id, uid, answer); }
  Status tap(const Tap& request, FrameTap::Listener listener, uid_t uid) override {
    return session_service_.tap(request, std::move(listener), uid);
  }
  void transferred(const Transfer& transfer, uid_t uid, const Status& done) override;

 private:
  void open_own_log();
  void open_audit();
  void find_cgroups();
  void make_pools();
  void make_users();
  void examined(Result<DoctorFindings> found);
  std::unique_ptr<Pool> make_pool(const Profile& profile);
  void pool_settled();
  void choose_default_profile();
  void begin_serving();
  void become_ready();
  Status start_http();
  HttpHandlers http_handlers();
  void open_records();
  void ping_watchdog();
  void watch_idleness();
  std::string known_session(const std::string& id);
  void name_request(std::string& request_id);
  void await_saves();
  void finish();
  void await_end();
  Health health() const;
  void prove_python(std::function<void(Health)> told);
  void look_for_proof();
  std::string version_document() const;
  void profile_cpu(seconds length, std::function<void(Result<std::string>)> told);
  void answered(const HttpExchange& exchange);
  void set_metric_limits();
  void refresh_gauges();
  InfoSources sources() const;
  std::map<std::string, std::string> zygote_environment() const;

  Loop& loop_;
  ManagerOptions options_;
  SystemdNotify notify_;
  ManagerFacts facts_;
  Metrics metrics_;
  MemoryLook memory_;
  AuditTrail trail_;
  TraceTrail traces_;
  KeyRing keys_;
  unsigned worker_user_;
  std::unique_ptr<CgroupKeeper> cgroups_;
  std::shared_ptr<Scratch> scratch_;
  std::unique_ptr<UserRange> users_;  // none: capsules share worker_user_
  std::unique_ptr<Doctor> doctor_;
  Pools pools_;
  CheckpointService checkpoints_;
  RunRecords records_;
  StorageThread storage_;  // after those whose jobs it does
  SessionRegistry sessions_;
  FileService files_;
  Dispatcher dispatcher_;
  SessionService session_service_;
  std::unique_ptr<Listener> listener_;
  std::shared_ptr<HttpExporter> http_, http_on_path_;
  BoundSocket http_path_;  // of the latter
  Timer watchdog_timer_, idle_timer_, drain_timer_, profile_timer_, proof_timer_, records_timer_;
  std::vector<std::function<void(Health)>> proof_waiters_;  // who asked whether Python runs
  TimePoint proof_since_;
  Uuid7Generator request_ids_;
  TimePoint last_used_;
  bool examined_ = false;  // what the sandbox can be here is known, and enough
  bool serving_ = false, ready_ = false, draining_ = false, finishing_ = false;
  bool debugging_ = false;
  int exit_status_ = 0;
};

}  // namespace capsule
