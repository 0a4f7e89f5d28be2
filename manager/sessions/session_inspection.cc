// `inspect` of a session: what the manager knows of it, and what its worker told of the namespace.
#include <sys/random.h>

#include <array>
#include <nlohmann/json.hpp>

#include "manager/schedule/run_settings.h"
#include "manager/sessions/namespace_report.h"
#include "manager/sessions/session_service.h"

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kPendingRows = 100;
constexpr size_t kForkRows = 100;

// Nobody else has it, so that hashes of names cannot be tried out.
std::string make_name_key() {
  std::array<char, 32> key{};
  size_t made = 0;
  while (made < key.size()) {
    const ssize_t got = getrandom(key.data() + made, key.size() - made, 0);
    if (got > 0) made += static_cast<size_t>(got);
  }
  return {key.data(), key.size()};
}

Json seconds_or_null(Duration duration) {
  return duration == Duration::zero() ? Json(nullptr) : Json(to_seconds(duration));
}

Json limits_json(const Session& session) {
  const auto settings = run_settings(Execute{}, session.pool().profile().settings, session.limits());
  if (!settings) return nullptr;
  const RunLimits& limits = settings->limits;
  return {{"wall_s", seconds_or_null(limits.timeout)},
          {"cpu_s", seconds_or_null(limits.cpu)},
          {"memory_bytes", limits.memory_bytes},
          {"output_bytes", limits.output_bytes},
          {"processes", settings->bounds.processes},
          {"open_files", settings->bounds.open_files},
          {"workspace_bytes", settings->bounds.workspace.bytes},
          {"workspace_files", settings->bounds.workspace.files}};
}

Json snapshots_json(const Session& session) {
  Json list = Json::array();
  const auto fallback = session.snapshots().tree().fallback();
  for (const auto& [id, entry] : session.snapshots().tree().snapshots()) {
    const ParkedCopy* copy = session.snapshots().find(id);
    list.push_back({{"name", session.snapshots().name_of(id)},
                    {"kind", entry.checkpoint.empty() ? "snapshot" : "checkpoint"},
                    {"age_s", copy == nullptr ? Json(nullptr) : Json(to_seconds(now() - copy->made_at()))},
                    {"is_fallback", fallback == id}});
  }
  return list;
}

Json pending_json(const Session& session, const Dispatcher& dispatcher) {
  Json list = Json::array();
  for (const auto& run : dispatcher.runs()) {
    const bool is_over = run->state == RunState::kFinished;
    if (is_over || run->request.session != session.id() || list.size() == kPendingRows) continue;
    list.push_back(
        {{"run_id", run->id},
         {"state", to_string(run->state)},
         {"since_s", to_seconds(now() - (run->started_at == TimePoint{} ? run->queued_at : run->started_at))}});
  }
  return list;
}

// Ancestors that were closed are named, too, though not as its parent; forks are those that live.
Json lineage_json(const Session& session, const SessionRegistry& sessions, uid_t uid) {
  Json forks = Json::array();
  for (const auto& [id, other] : sessions.all()) {
    const bool is_fork = living_parent(*other->place()) == session.place().get() && (uid == 0 || other->uid() == uid);
    if (is_fork && forks.size() < kForkRows) forks.push_back(id);
  }
  const Place* parent = living_parent(*session.place());
  return {{"parent", parent == nullptr ? Json(nullptr) : Json(parent->name)},
          {"ancestors", ancestors(*session.place())},
          {"forks", std::move(forks)}};
}

}  // namespace

SessionService::SessionService(const Pools& pools, SessionRegistry& sessions, Dispatcher& dispatcher,
                               CheckpointService& checkpoints, Metrics& metrics)
    : pools_(pools),
      sessions_(sessions),
      dispatcher_(dispatcher),
      checkpoints_(checkpoints),
      metrics_(metrics),
      name_key_(make_name_key()) {}

void SessionService::inspect(const std::string& id, uid_t uid, const Answer& answer) {
  const auto session = sessions_.find(id, uid);
  if (!session) return answer(tl::unexpected<Error>(session.error()));
  if ((*session)->pool().profile().settings.run.inspect == InspectMode::kOff) {
    return answer(
        forbidden(label::Policy::kInspect, Errc::kRefused,
                  "profile '" + (*session)->profile() + "' does not let its sessions be looked into (run.inspect)"));
  }
  (*session)->inspect([this, id, uid, answer](const Result<std::string>& told) {
    const Session* still = sessions_.find(id);
    if (still == nullptr) return answer(failure(Errc::kClosed, "session '" + id + "' was closed"));
    answer(inspection(*still, uid, told));
  });
}

std::string SessionService::inspection(const Session& session, uid_t uid, const Result<std::string>& told) const {
  const bool is_hashed = session.pool().profile().settings.run.inspect == InspectMode::kHashed;
  auto seen = told.and_then(
      [&](const std::string& text) { return read_namespace_report(text, is_hashed ? name_key_ : std::string()); });
  const Worker* worker = session.lease().worker.get();
  const auto stats = worker == nullptr ? std::nullopt : worker->stats();
  const Json document = {
      {"v", 1},
      {"session", session.id()},
      {"profile", session.profile()},
      {"uid", session.uid()},
      {"state", to_string(session.state())},
      {"created_at", format_utc(session.created_wall_ms())},
      {"idle_s", session.state() == SessionState::kBusy ? 0.0 : to_seconds(now() - session.last_used())},
      {"runs", session.runs()},
      {"worker", stats ? Json{{"pid", worker->pid()}, {"rss_bytes", stats->rss_bytes}, {"threads", stats->threads}}
                       : Json(nullptr)},
      {"pending", pending_json(session, dispatcher_)},
      {"snapshots", snapshots_json(session)},
      {"lineage", lineage_json(session, sessions_, uid)},
      {"limits", limits_json(session)},
      {"namespace_missing", seen ? Json(nullptr) : Json(seen.error().message)},
      {"namespace", seen ? std::move(*seen) : Json(nullptr)}};
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Status SessionService::tap(const Tap& request, FrameTap::Listener listener, uid_t uid) {
  const auto session = sessions_.find(request.session, uid);
  if (!session) return tl::unexpected<Error>(session.error());
  if (request.on) return (*session)->tap(std::move(listener));
  (*session)->untap(listener.client);
  return {};
}

}  // namespace capsule
