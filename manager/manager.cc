#include "manager/manager.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/posix_io.h"
#include "manager/cgroup/detect.h"
#include "manager/cgroup/group_claim.h"
#include "manager/directories.h"
#include "manager/observe/log.h"
#include "manager/worker_user.h"

namespace capsule {
namespace {

constexpr const char* kVersion = "0.1.0";
constexpr const char* kDataProfile = "data";
constexpr const char* kBaseProfile = "base";
constexpr milliseconds kFinishPatience{1500};  // for killed capsules to be reaped
constexpr milliseconds kEndLook{10};
constexpr milliseconds kLastFrames{100};  // for verdicts to leave before connections are closed
constexpr seconds kIdleLook{1};
constexpr seconds kRecordsRetry{5};
constexpr const char* kNotRecorded = "runs are not recorded: ";
constexpr int kBelowFloorStatus = 77;  // EX_NOPERM: systemd does not restart on it

SessionRegistry::Events session_events(Dispatcher& dispatcher) {
  SessionRegistry::Events events;
  events.on_ready = [&dispatcher](const std::string& id) { dispatcher.session_ready(id); };
  events.on_broken = [&dispatcher](const std::string& id) { dispatcher.session_broken(id); };
  events.on_closed = [&dispatcher](const std::string& id, const Error& why) { dispatcher.session_closed(id, why); };
  return events;
}

Dispatcher::Events dispatcher_events(AuditTrail& trail, TraceTrail& traces) {
  Dispatcher::Events events;
  events.on_finished = [&trail, &traces](const Run& run) {
    trail.finished(run);
    traces.finished(run);
  };
  events.on_ruled = [&trail](const Run& run, label::Ruling ruling, std::string_view reason) {
    trail.ruled(run, ruling, reason);
  };
  return events;
}

}  // namespace

Manager::Manager(Loop& loop, ManagerOptions options, SystemdNotify notify)
    : loop_(loop),
      options_(std::move(options)),
      notify_(std::move(notify)),
      metrics_(kVersion, wall_clock_ms()),
      trail_(metrics_),
      traces_(metrics_),
      keys_(options_.api_keys),
      worker_user_(choose_worker_user()),
      checkpoints_(loop, storage_, options_.checkpoint_dir, options_.config.checkpoints),
      records_(loop, storage_, metrics_),
      storage_(loop),
      sessions_(loop, options_.config.sessions, checkpoints_, metrics_, session_events(dispatcher_)),
      files_(loop, options_.config.files, sessions_, metrics_),
      dispatcher_(loop, options_.config, pools_, sessions_, files_, records_, metrics_, worker_user_,
                  dispatcher_events(trail_, traces_)),
      session_service_(pools_, sessions_, dispatcher_, checkpoints_, metrics_),
      watchdog_timer_(loop),
      idle_timer_(loop),
      drain_timer_(loop),
      profile_timer_(loop),
      proof_timer_(loop),
      records_timer_(loop),
      last_used_(now()) {
  if (geteuid() == 0 && worker_user_ == 0) {
    facts_.degraded.push_back("workers run as the manager's own user: this user namespace has no other");
  }
  facts_.version = kVersion;
  facts_.state = "starting";
  facts_.started_wall_ms = wall_clock_ms();
  facts_.started_at = now();
  facts_.is_private = options_.lifetime == Lifetime::kPrivate;
  facts_.config_file = options_.config_file;
  facts_.state_dir = std::filesystem::path(options_.api_keys).parent_path().string();
  facts_.default_profile = options_.config.default_profile.empty() ? kDataProfile : options_.config.default_profile;
}

Manager::~Manager() {
  if (!http_path_.path.empty()) unlink(http_path_.path.c_str());
  records_.close();
  traces_.close();
  trail_.manager("manager.stop", exit_status_ == 0 ? "ok" : "failed");
  open_log({LogLevel::kInfo, detect_log_format(STDERR_FILENO), {}});  // before the heads are said: they always are
  if (const uint64_t lost = log_lines_lost(); lost > 0)
    log_warning("log lines were lost", {{"lines", std::to_string(lost)}});
  trail_.close();
}

// Also on reload. The level was checked when the configuration was read.
void Manager::open_own_log() {
  const auto chosen = choose_log_level(options_.config.server.log_level, options_.log_level);
  const LogLevel level = debugging_ ? LogLevel::kDebug : chosen.value_or(LogLevel::kInfo);
  open_log({level, detect_log_format(STDERR_FILENO), [this](LogLevel written) { metrics_.log_record(written); },
            LogDelivery::kByThread});
}

void Manager::toggle_debug() {
  debugging_ = !debugging_;
  open_own_log();
  trail_.manager(debugging_ ? "manager.debug_on" : "manager.debug_off");
  log_info("log level", {{"debug", debugging_ ? "on" : "off"}});
}

// Without one the manager still serves, and says so.
void Manager::open_audit() {
  const AuditConfig& config = options_.config.audit;
  Status opened = trail_.open({options_.audit_dir, config.file_bytes, config.decision_file_bytes, config.files});
  const bool is_wanted = config.file_bytes > 0 || config.decision_file_bytes > 0;
  if (is_wanted && options_.audit_dir.empty()) {
    opened = failure(Errc::kUnavailable, "no state directory can be written to (server.state_dir)");
  }
  if (!opened) facts_.degraded.push_back("there is no audit log: " + opened.error().message);
  trail_.manager("manager.start");
}

Status Manager::start() {
  open_own_log();
  set_metric_limits();
  open_audit();
  const Status traced = traces_.open(options_.config.trace, options_.trace_dir, kVersion);
  if (!traced) return traced;
  const Others others = options_.config.server.socket_group.empty() ? Others::kRefused : Others::kTakenByFileMode;
  listener_ = std::make_unique<Listener>(loop_, std::move(options_.socket), options_.config.client, others, *this,
                                         metrics_, [this](ClientKey client) {
                                           last_used_ = now();
                                           dispatcher_.client_gone(client);
                                           files_.client_gone(client);
                                           sessions_.client_gone(client);
                                           checkpoints_.client_gone(client);
                                         });
  facts_.socket = listener_->path();
  if (const Status http = start_http(); !http) return http;
  open_records();
  find_cgroups();
  make_users();
  doctor_ = std::make_unique<Doctor>(loop_, options_.worker_program, worker_user_,
                                     [this](Result<DoctorFindings> found) { examined(std::move(found)); });
  make_pools();
  if (const auto interval = notify_.watchdog_interval()) ping_watchdog();
  if (options_.lifetime == Lifetime::kPrivate) watch_idleness();
  log_info("manager started", {{"version", kVersion}, {"socket", facts_.socket}, {"http", facts_.http}});
  return {};
}

// Without them it serves all the same, and says so. What was in the way (a full disk) may be gone later.
void Manager::open_records() {
  std::erase_if(facts_.degraded, [](const std::string& what) { return what.starts_with(kNotRecorded); });
  if (const Status opened = records_.open(options_.records_dir, options_.config.records); !opened) {
    facts_.degraded.push_back(kNotRecorded + opened.error().message);
    if (!options_.records_dir.empty()) records_timer_.after(kRecordsRetry, [this] { open_records(); });
  } else if (records_.is_on()) {
    log_info("records of runs", {{"directory", records_.directory()}, {"aborted", std::to_string(records_.aborted())}});
  }
  for (const AbortedRun& run : records_.take_aborted_runs()) trail_.aborted(run);
}

std::map<std::string, std::string> Manager::zygote_environment() const {
  std::map<std::string, std::string> variables{
      {"PATH", "/usr/local/bin:/usr/bin:/bin"},
      {"LANG", "C.UTF-8"},
      {"HOME", "/tmp"},
      {"MPLBACKEND", "Agg"},
      // BLAS and OpenMP pools do not survive a fork, and a zygote must have one thread.
      {"OPENBLAS_NUM_THREADS", "1"},
      {"OMP_NUM_THREADS", "1"},
      {"MKL_NUM_THREADS", "1"}};
  if (const char* zone = std::getenv("TZ")) variables["TZ"] = zone;
  if (const std::string cache = make_cache_dir(worker_user_); !cache.empty()) variables["MPLCONFIGDIR"] = cache;
  return variables;
}

// Users of their own for capsules, where we may give them some.
void Manager::make_users() {
  const ServerConfig& server = options_.config.server;
  if (worker_user_ == 0 || server.worker_uid_count == 0) return;
  if (!has_users(server.worker_uid_base, server.worker_uid_count)) {
    facts_.degraded.push_back("capsules share one user: this user namespace lacks server.worker_uid_base and up");
    return;
  }
  users_ = std::make_unique<UserRange>(static_cast<uint32_t>(server.worker_uid_base),
                                       static_cast<uint32_t>(server.worker_uid_count));
}

// Nobody is served before it is known what holds.
void Manager::examined(Result<DoctorFindings> found) {
  const Floor floor = options_.config.defaults.sandbox.floor;
  if (found) add_cgroups(*found, cgroups_->layer());
  Status good = found ? check_floor(floor, found->layers()) : Status(tl::unexpected<Error>(found.error()));
  if (!found && floor == Floor::kUnsafe) good = {};
  if (found) {
    facts_.findings = std::move(*found);
    for (const auto& row : facts_.findings.rows) {
      if (row.state != "on")
        log_warning("a layer of the sandbox",
                    {{"layer", row.name}, {"state", row.state}, {"why", row.reason}, {"fix", row.fix}});
    }
  }
  if (!good) {
    log_error("the sandbox is below its floor; see `capsule doctor`", {{"error", good.error().message}});
    exit_status_ = kBelowFloorStatus;
    return finish();
  }
  examined_ = true;
  pool_settled();
}

std::unique_ptr<Pool> Manager::make_pool(const Profile& profile) {
  PoolEnvironment environment{options_.worker_program, zygote_environment(), scratch_, worker_user_,
                              cgroups_.get(),          users_.get()};
  Pool::Events events;
  events.on_settled = [this] { pool_settled(); };
  events.on_room = [this] { dispatcher_.room_in_pools(); };
  return std::make_unique<Pool>(loop_, profile, std::move(environment), metrics_, std::move(events));
}

void Manager::find_cgroups() {
  const std::string owner = group_owner(getpid(), facts_.started_wall_ms);
  scratch_ = std::make_shared<Scratch>(options_.scratch_dir, owner);
  scratch_->reap();
  cgroups_ = std::make_unique<CgroupKeeper>(loop_, detect_cgroups(options_.config.defaults.sandbox.cgroup, owner));
  log_info("control groups", {{"state", cgroups_->layer().state}, {"detail", cgroups_->layer().detail}});
}

void Manager::make_pools() {
  for (const auto& [name, profile] : options_.config.profiles) pools_[name] = make_pool(profile);
  for (const auto& [name, pool] : pools_) pool->start();
}

// Called when a pool's fate is known, and again when its stock is full for the first time.
void Manager::pool_settled() {
  if (!examined_) return;
  choose_default_profile();
  const auto chosen = pools_.find(facts_.default_profile);
  if (chosen == pools_.end() || !chosen->second->is_settled()) return;
  loop_.post([this] { begin_serving(); });
  if (chosen->second->is_warm()) loop_.post([this] { become_ready(); });
}

void Manager::choose_default_profile() {
  if (!options_.config.default_profile.empty()) return;
  const Pool& data = *pools_.at(kDataProfile);
  if (data.state() != Pool::State::kUnavailable) return;
  if (facts_.default_profile == kBaseProfile) return;
  facts_.default_profile = kBaseProfile;
  facts_.degraded.push_back("profile data cannot be had: " + data.detail());
}

// Not before: there is no default profile to give a client. Also when the pool cannot start for now: a client then
// hears why instead of waiting at a closed door.
void Manager::begin_serving() {
  if (std::exchange(serving_, true)) return;
  for (const Layer& layer : pools_.at(facts_.default_profile)->layers()) {
    if (layer.state != "on")
      facts_.degraded.push_back("layer " + layer.name + " is " + layer.state + ": " + layer.detail);
  }
  for (const std::string& what : facts_.degraded) log_warning("degraded", {{"what", what}});
  listener_->start();
}

void Manager::become_ready() {
  if (std::exchange(ready_, true) || draining_) return;
  facts_.state = "ready";
  const Pool& pool = *pools_.at(facts_.default_profile);
  if (pool.zygote() != nullptr) facts_.python = pool.zygote()->hello().python;
  records_.set_python(facts_.python);
  traces_.set_python(facts_.python);
  (void)notify_.ready("ready, default profile " + facts_.default_profile);
  log_info("manager is ready", {{"default_profile", facts_.default_profile},
                                {"took_s", std::to_string(to_seconds(now() - facts_.started_at))}});
  if (options_.on_ready) options_.on_ready();
}

// ---- requests ------------------------------------------------------------------------------------------------

Hello Manager::hello() const {
  Hello hello;
  hello.version = kProtocolVersion;
  hello.role = "manager";
  hello.software = std::string("capsule/") + kVersion;
  hello.python = facts_.python;
  hello.profile = facts_.default_profile;
  return hello;
}

Result<Accepted> Manager::submit(Execute request, ClientKey client, uid_t uid, std::weak_ptr<RunClient> listener) {
  last_used_ = now();
  const std::string session = known_session(request.session);
  name_request(request.request_id);
  const std::string request_id = request.request_id;
  auto answer =
      dispatcher_.submit(std::move(request), {client, uid, std::move(listener), last_used_}, facts_.default_profile);
  trail_.submitted(answer, {uid, session, request_id}, dispatcher_.refusal());
  return answer;
}

// What was given is checked by whoever takes the request.
void Manager::name_request(std::string& request_id) {
  if (request_id.empty()) request_id = request_ids_.next(wall_clock_ms());
}

// What is no session's name can be anything, and is not for a log.
std::string Manager::known_session(const std::string& id) { return sessions_.find(id) != nullptr ? id : ""; }

// Of what was refused, too, it is told what it was asked of.
void Manager::transferred(const Transfer& transfer, uid_t uid, const Status& done) {
  const bool is_session = transfer.object_kind == "session" && sessions_.find(transfer.object) != nullptr;
  const bool is_run = transfer.object_kind == "run" && dispatcher_.find(transfer.object) != nullptr;
  const std::string object = done || is_session || is_run ? transfer.object : "";
  trail_.transferred({transfer.action, transfer.object_kind, object}, {uid, request_ids_.next(wall_clock_ms())}, done);
}

Status Manager::cancel(const std::string& run_id, uid_t uid) {
  const Status done = dispatcher_.cancel(run_id, uid);
  trail_.cancelled(run_id, {uid, request_ids_.next(wall_clock_ms())}, done);
  return done;
}

void Manager::session(const SessionRequest& request, uid_t uid, Answer answer) {
  last_used_ = now();
  if (request.operation == "ls") return answer(make_session_list(sources(), uid));
  AuditTrail::Asked asked{request.operation, known_session(request.session), request.checkpoint, uid,
                          request.request_id};
  name_request(asked.request_id);
  if (!is_printable_id(asked.request_id)) {
    metrics_.policy_violated(label::Policy::kRequest);
    return answer(failure(Errc::kInvalid, "request_id is 1 to 128 printable characters of ASCII without a space"));
  }
  answer = [this, asked, reply = std::move(answer)](Result<std::string> document) {
    trail_.session(asked, document);
    reply(std::move(document));
  };
  if (request.operation == "new" && draining_) {
    return answer(failure(Errc::kUnavailable, "the manager is shutting down"));
  }
  session_service_.handle(request, uid, facts_.default_profile, options_.config.client.max_sessions_per_uid,
                          std::move(answer));
}

// While the manager remembers the run; then from its record.
void Manager::trace(const std::string& run_id, uid_t uid, Answer answer) {
  const auto run = dispatcher_.find(run_id);
  if (!run || (uid != 0 && run->uid != uid)) return records_.trace(uid, run_id, std::move(answer));
  const std::vector<TraceMark> marks = run->trace.marks();
  const bool is_whole = !marks.empty() && marks.front().event == TraceEvent::kSubmitted;
  if (!is_whole && records_.is_on()) return records_.trace(uid, run_id, std::move(answer));
  answer(trace_document(trace_facts(*run), trace_lines(marks)));
}

Result<std::string> Manager::info(const InfoRequest& request, uid_t uid) {
  return make_info(sources(), request.sections, uid);
}

InfoSources Manager::sources() const {
  return {facts_,       options_.config,    pools_,
          sessions_,    dispatcher_,        metrics_,
          trail_.log(), traces_.exporter(), traces_.collector()};
}

// ---- life ----------------------------------------------------------------------------------------------------

void Manager::ping_watchdog() {
  (void)notify_.alive();  // from the loop: a loop that hangs is what the watchdog is for
  watchdog_timer_.after(*notify_.watchdog_interval(), [this] { ping_watchdog(); });
}

void Manager::watch_idleness() {
  idle_timer_.after(kIdleLook, [this] {
    const bool used = listener_->connections() > 0 || !sessions_.all().empty() || !dispatcher_.is_idle() || !ready_;
    if (used) last_used_ = now();
    if (now() - last_used_ >= options_.config.server.private_idle_exit) {
      log_info("nobody uses this private manager; it goes away");
      return shut_down();
    }
    watch_idleness();
  });
}

void Manager::reload() {
  if (options_.config_file.empty()) return log_warning("reload: there is no configuration file");
  (void)notify_.reloading();
  const auto text = read_regular_file(options_.config_file, kConfigBytes);
  auto config = text ? parse_config(*text, options_.config_file) : tl::unexpected<Error>(text.error());
  if (config) {
    if (const Status there = check_profile_paths(*config); !there) config = tl::unexpected<Error>(there.error());
  }
  if (!config) {
    log_error("reload: the configuration is unchanged", {{"error", config.error().message}});
    trail_.manager("manager.reload", "invalid");
  } else {
    options_.config = std::move(*config);
    for (const auto& [name, profile] : options_.config.profiles) {
      const auto found = pools_.find(name);
      if (found != pools_.end()) {
        found->second->set_profile(profile);
      } else {
        pools_[name] = make_pool(profile);
        pools_[name]->start();
      }
    }
    if (!options_.config.default_profile.empty()) facts_.default_profile = options_.config.default_profile;
    sessions_.set_config(options_.config.sessions);
    files_.set_config(options_.config.files);
    records_.set_config(options_.config.records);
    dispatcher_.set_limits(options_.config);
    set_metric_limits();
    listener_->set_config(options_.config.client);
    open_own_log();
    trail_.manager("manager.reload");
    log_info(
        "reload: the new configuration is in force; sockets and removed profiles keep until a restart, sessions what "
        "they were made with");
  }
  (void)notify_.ready("ready, default profile " + facts_.default_profile);
}

void Manager::shut_down() {
  if (std::exchange(draining_, true)) {
    log_warning("second request to stop: running programs are killed");
    exit_status_ = 1;
    dispatcher_.abort_all();
    return finish();
  }
  facts_.state = "draining";
  (void)notify_.stopping();
  log_info("draining", {{"running", std::to_string(dispatcher_.scheduler().running())}});
  listener_->tell_all(Shutdown{"it takes no new runs; running ones may end"});
  // The socket stays open for `info` and for a clear answer to new runs until the last one is over.
  drain_timer_.after(options_.config.server.drain_timeout, [this] {
    log_warning("drain timeout: running programs are killed");
    exit_status_ = 1;
    dispatcher_.abort_all();
  });
  dispatcher_.drain([this] { await_saves(); });
}

// Durable checkpoints under way are written to their end, or until the drain's timeout.
void Manager::await_saves() {
  if (!sessions_.is_saving() || exit_status_ != 0) return finish();
  idle_timer_.after(kEndLook, [this] { await_saves(); });
}

// Runs are over. Give the last frames a chance to leave, end every process, then the loop.
void Manager::finish() {
  if (std::exchange(finishing_, true)) return;
  listener_->stop();
  sessions_.close_all(label::SessionClose::kShutdown);
  for (const auto& [name, pool] : pools_) pool->stop();
  drain_timer_.after(kFinishPatience, [this] { loop_.stop(); });
  idle_timer_.after(kLastFrames, [this] { listener_->close_all(); });
  await_end();
}

void Manager::await_end() {
  size_t left = 0;
  for (const auto& [name, pool] : pools_) left += pool->slots();
  if (left == 0 && dispatcher_.is_idle()) {
    return watchdog_timer_.after(kLastFrames, [this] { loop_.stop(); });
  }
  watchdog_timer_.after(kEndLook, [this] { await_end(); });
}

}  // namespace capsule
