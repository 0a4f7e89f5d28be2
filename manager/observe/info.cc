#include "manager/observe/info.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace capsule {
namespace {

using Json = nlohmann::json;

// Dumps never throw: text of users is made valid first, and what is left is replaced.
std::string dump(const Json& document) { return document.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

std::string_view word(Pool::State state) {
  switch (state) {
    case Pool::State::kStarting: return "starting";
    case Pool::State::kReady: return "ready";
    case Pool::State::kBackoff: return "backoff";
    case Pool::State::kUnavailable: return "unavailable";
    case Pool::State::kStopped: return "stopped";
  }
  return "stopped";
}

Json layers_json(const std::vector<Layer>& layers) {
  Json list = Json::array();
  for (const Layer& layer : layers)
    list.push_back({{"name", layer.name}, {"state", layer.state}, {"detail", layer.detail}});
  return list;
}

// The heads are what `capsule audit verify --head` takes.
Json audit_json(const AuditLog& audit) {
  Json logs = Json::object();
  for (const label::AuditLogKind kind : label::kAllAuditLogKinds) {
    if (!audit.is_kept(kind)) continue;
    const AuditLog::Totals totals = audit.totals(kind);
    logs[std::string(to_string(kind))] = {{"head", to_string(totals.head)}, {"written", totals.written},
                                          {"bytes", totals.bytes},          {"lost", totals.lost},
                                          {"damages", totals.damages},      {"failing", totals.is_failing}};
  }
  return {{"directory", or_null(audit.directory())}, {"logs", std::move(logs)}};
}

Json traces_json(const InfoSources& from) {
  const TraceExporter::Totals totals = from.traces.totals();
  return {{"directory", or_null(from.traces.directory())},
          {"collector", or_null(from.collector)},
          {"spans",
           {{"exported", totals.exported},
            {"recorded", totals.recorded},
            {"refused", totals.refused},
            {"lost", totals.lost},
            {"waiting", totals.waiting}}}};
}

Json manager_json(const InfoSources& from) {
  const ManagerFacts& facts = from.facts;
  const auto stats = read_proc_stats(getpid());
  return {{"version", facts.version},
          {"pid", getpid()},
          {"started_at", format_utc(facts.started_wall_ms)},
          {"uptime_s", to_seconds(now() - facts.started_at)},
          {"state", facts.state},
          {"socket", facts.socket},
          {"http", or_null(facts.http)},
          {"http_socket", or_null(facts.http_socket)},
          {"private", facts.is_private},
          {"protocol", kProtocolVersion},
          {"python", facts.python},
          {"uid", geteuid()},
          {"default_profile", facts.default_profile},
          {"config_file", or_null(facts.config_file)},
          {"state_dir", or_null(facts.state_dir)},
          {"degraded", facts.degraded},
          {"audit", audit_json(from.audit)},
          {"traces", traces_json(from)},
          {"rss_bytes", stats ? stats->rss_bytes : 0}};
}

Json breaker_json(const Breaker& breaker) {
  const TimePoint at = now();
  const TimePoint retry = breaker.retry_at(at);
  return {{"state", to_string(breaker.state(at))},
          {"deaths", breaker.deaths(at)},
          {"retry_in_s", retry == TimePoint::max() ? 0.0 : to_seconds(retry - at)}};
}

Json pool_json(const Pool& pool, const Metrics& metrics) {
  const PoolTotals totals = metrics.pool_totals(pool.handle());
  const WorkerCounts workers = pool.worker_counts();
  const PoolView view = pool.view();
  const PoolConfig& config = pool.profile().settings.pool;
  const ZygoteProcess* zygote = pool.zygote();
  Json recycles = Json::object();
  for (const auto& [reason, count] : totals.recycles) recycles[std::string(reason)] = count;
  return {{"profile", pool.profile().name},
          {"state", word(pool.state())},
          {"detail", replace_invalid_utf8(pool.detail())},
          {"zygote_pid", zygote ? zygote->pid() : 0},
          {"zygote_forks", zygote ? zygote->forks() : 0},
          {"zygote_age_s", zygote ? to_seconds(now() - zygote->started_at()) : 0.0},
          {"preload", pool.profile().preload},
          {"workers",
           {{"starting", workers.starting},
            {"idle", workers.idle},
            {"leased", workers.leased},
            {"retiring", workers.retiring}}},
          {"capsules", {{"starting", view.starting_capsules}, {"ready", view.ready_capsules}}},
          {"warm_target", config.warm},
          {"capsule_target", config.capsules},
          {"min", config.min},
          {"max", config.max},
          {"waiting", pool.waiting()},
          {"hits", totals.hits},
          {"misses", totals.misses},
          {"hit_ratio", totals.hit_ratio},
          {"acquisitions", totals.acquisitions},
          {"exhausted", totals.exhausted},
          {"acquire_mean_ms", totals.acquire_mean_s * 1000},
          {"acquire_max_ms", totals.acquire_max_s * 1000},
          {"recycles", std::move(recycles)},
          {"restarts", totals.restarts},
          {"warmup_triggers", totals.warmup_triggers},
          {"health_triggers", totals.health_triggers},
          {"health_checks", totals.health_checks},
          {"breaker", breaker_json(pool.breaker())},
          {"layers", layers_json(pool.layers())},
          {"spawn_timings_us", pool.spawn_timings_us()}};
}

bool may_see(uid_t uid, uid_t owner) { return uid == owner || uid == 0; }

// Which session and run each worker serves right now, as far as this user may know.
struct Assignment {
  std::string session, run_id;
};
using Assignments = std::map<const Worker*, Assignment>;

Assignments assignments(const InfoSources& from, uid_t uid) {
  Assignments all;
  for (const auto& [id, session] : from.sessions.all()) {
    if (session->lease().worker && may_see(uid, session->uid())) all[session->lease().worker.get()].session = id;
  }
  for (const auto& [id, driver] : from.dispatcher.drivers()) {
    if (may_see(uid, driver->run().uid)) all[driver->lease().worker.get()].run_id = id;
  }
  return all;
}

Json worker_json(Worker& worker, const Assignment& assigned) {
  const TimePoint at = now();
  const auto stats = worker.stats();
  return {{"id", worker.name()},
          {"profile", worker.profile()},
          {"pid", worker.pid()},
          {"state", to_string(worker.state())},
          {"session", or_null(assigned.session)},
          {"run_id", or_null(assigned.run_id)},
          {"age_s", to_seconds(at - worker.started_at())},
          {"rss_bytes", stats ? stats->rss_bytes : 0},
          {"cpu_percent", worker.last_beat().cpu_percent},
          {"threads", stats ? stats->threads : 0},
          {"namespace_names", worker.last_beat().namespace_names},
          {"heartbeats", worker.heartbeat().beats()},
          {"heartbeat_age_s", to_seconds(at - worker.heartbeat().last_beat())},
          {"health", to_string(worker.health(at))},
          {"runs", worker.runs()}};
}

Json seconds_or_null(Duration limit) { return limit == Duration::zero() ? Json(nullptr) : Json(to_seconds(limit)); }

// What its runs get that ask for no less.
Json session_limits_json(const Session& session) {
  const auto settings = run_settings({}, session.pool().profile().settings, session.limits());
  if (!settings) return nullptr;
  const CapsuleBounds& bounds = settings->bounds;
  return {{"wall_s", seconds_or_null(settings->limits.timeout)},
          {"cpu_s", seconds_or_null(settings->limits.cpu)},
          {"memory_bytes", settings->limits.memory_bytes},
          {"output_bytes", settings->limits.output_bytes},
          {"processes", bounds.processes},
          {"open_files", bounds.open_files},
          {"workspace_bytes", bounds.workspace.bytes},
          {"workspace_files", bounds.workspace.files}};
}

Json session_json(const Session& session, const Scheduler& scheduler) {
  const TimePoint at = now();
  const TimePoint closes = session.closes_at();
  const auto& worker = session.lease().worker;
  const auto stats = worker ? worker->stats() : std::nullopt;
  const StateTree& tree = session.snapshots().tree();
  const auto fallback = tree.fallback();
  const Place* const parent = living_parent(*session.place());
  return {{"session", session.id()},
          {"profile", session.profile()},
          {"state", to_string(session.state())},
          {"uid", session.uid()},
          {"created_at", format_utc(session.created_wall_ms())},
          {"idle_s", to_seconds(at - session.last_used())},
          {"closes_in_s", closes == TimePoint::max() ? Json(nullptr) : Json(to_seconds(closes - at))},
          {"runs", session.runs()},
          {"worker_pid", worker ? worker->pid() : 0},
          {"rss_bytes", stats ? stats->rss_bytes : 0},
          {"queued", scheduler.queued_of_session(session.id())},
          {"rollback", to_string(session.rollback_mode())},
          {"limits", session_limits_json(session)},
          {"parent", or_null(parent != nullptr ? parent->name : std::string())},
          {"fork_depth", session.lease().capsule ? session.lease().capsule->depth() : 0},
          {"snapshots", tree.snapshots().size() - tree.checkpoints()},
          {"checkpoints", tree.checkpoints()},
          {"fallback", or_null(session.snapshots().name_of(fallback))},
          {"runs_at_risk", tree.runs_since(fallback, 0).count},
          {"late_output_bytes", session.late_bytes()},
          {"late_output_tail", replace_invalid_utf8(session.late_tail())}};
}

Json sessions_json(const InfoSources& from, uid_t uid) {
  Json list = Json::array();
  for (const auto& [id, session] : from.sessions.all()) {
    if (!may_see(uid, session->uid())) continue;
    list.push_back(session_json(*session, from.dispatcher.scheduler()));
    list.back()["fork_in_advance"] = from.sessions.has_fork_in_advance(*session);
  }
  return list;
}

Json run_json(const Run& run, const OutputCount& output) {
  const TimePoint at = now();
  const bool finished = run.state == RunState::kFinished;
  const bool started = run.started_at != TimePoint{};
  const TimePoint end = finished ? run.finished_at : at;
  return {{"run_id", run.id},
          {"state", to_string(run.state)},
          {"verdict", finished ? Json(to_string(run.outcome.verdict)) : Json(nullptr)},
          {"session", or_null(run.request.session)},
          {"profile", run.profile},
          {"uid", run.uid},
          {"filename", run.request.filename},
          {"request_id", run.request_id},
          {"trace_id", run.trace.context.trace_id},
          {"created_at", format_utc(run.created_wall_ms)},
          {"queued_s", to_seconds((started ? run.started_at : end) - run.queued_at)},
          {"running_s", started ? to_seconds(end - run.started_at) : 0.0},
          {"stdout_bytes", output.stdout_bytes},
          {"stderr_bytes", output.stderr_bytes},
          {"dropped_bytes", output.dropped_bytes},
          {"worker_pid", run.worker_pid}};
}

Json runs_json(const InfoSources& from, uid_t uid) {
  Json list = Json::array();
  for (const auto& run : from.dispatcher.runs()) {
    if (may_see(uid, run->uid)) list.push_back(run_json(*run, from.dispatcher.output_of(*run)));
  }
  return list;
}

Json queue_json(const InfoSources& from) {
  const Scheduler& scheduler = from.dispatcher.scheduler();
  Json clients = Json::array();
  for (const auto& [client, queued] : scheduler.by_client())
    clients.push_back({{"client", client}, {"queued", queued}});
  return {{"depth", scheduler.depth()},
          {"capacity", from.config.queue.capacity},
          {"running", scheduler.running()},
          {"max_running", from.config.queue.max_running},
          {"oldest_wait_s", to_seconds(scheduler.oldest_wait(now()))},
          {"by_client", std::move(clients)},
          {"rejected", scheduler.rejected()}};
}

Json knob_json(const KnobValue& value) {
  return std::visit([](const auto& v) { return Json(v); }, value);
}

Json limits_json(const Config& config) {
  Json list = Json::array();
  for (const KnobInfo& knob : describe_knobs(config)) {
    Json row = {{"name", knob.name},
                {"value", knob_json(knob.value)},
                {"unit", knob.unit},
                {"default", knob_json(knob.standard)},
                {"min", knob.min ? knob_json(*knob.min) : Json(nullptr)},
                {"max", knob.max ? knob_json(*knob.max) : Json(nullptr)},
                {"description", knob.description}};
    if (!knob.choices.empty()) row["choices"] = knob.choices;
    list.push_back(std::move(row));
  }
  return list;
}

Json section_json(const InfoSources& from, const std::string& section, uid_t uid) {
  if (section == "manager") return manager_json(from);
  if (section == "sessions") return sessions_json(from, uid);
  if (section == "runs") return runs_json(from, uid);
  if (section == "queue") return queue_json(from);
  if (section == "limits") return limits_json(from.config);
  if (section == "layers") {
    Json document = Json::parse(findings_document(from.facts.findings, from.config.defaults.sandbox.floor));
    document.erase("v");
    return document;
  }
  Json list = Json::array();
  if (section == "pools") {
    for (const auto& [name, pool] : from.pools) list.push_back(pool_json(*pool, from.metrics));
    return list;
  }
  const Assignments assigned = assignments(from, uid);
  for (const auto& [name, pool] : from.pools) {
    for (const auto& worker : pool->workers()) {
      const auto found = assigned.find(worker.get());
      list.push_back(worker_json(*worker, found == assigned.end() ? Assignment{} : found->second));
    }
  }
  return list;
}

const std::vector<std::string>& all_sections() {
  static const std::vector<std::string> sections{"manager", "pools", "workers", "sessions",
                                                 "runs",    "queue", "limits",  "layers"};
  return sections;
}

}  // namespace

Result<std::string> make_info(const InfoSources& sources, const std::vector<std::string>& sections, uid_t uid) {
  Json document = {{"v", 1}};
  for (const std::string& section : sections.empty() ? all_sections() : sections) {
    if (std::find(all_sections().begin(), all_sections().end(), section) == all_sections().end()) {
      return failure(Errc::kInvalid, "there is no section '" + section.substr(0, limits::kIdBytes) +
                                         "'; there are manager, pools, workers, sessions, runs, queue, limits, layers");
    }
    document[section] = section_json(sources, section, uid);
  }
  return dump(document);
}

std::string make_session_list(const InfoSources& sources, uid_t uid) {
  return dump({{"v", 1}, {"sessions", sessions_json(sources, uid)}});
}

}  // namespace capsule
