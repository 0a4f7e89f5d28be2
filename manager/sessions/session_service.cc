#include "manager/sessions/session_service.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_shape.h"
#include "manager/pool/parked_copy.h"

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;

Json session_json(const std::string& id, const std::string& state) {
  return {{"v", 1}, {"session", id}, {"state", state}};
}

Result<std::string> went_back_json(const std::string& id, const Result<Rollback>& went_back) {
  if (!went_back) return tl::unexpected<Error>(went_back.error());
  Json document = session_json(id, "ready");
  document["snapshot"] = went_back->snapshot.empty() ? Json(nullptr) : Json(went_back->snapshot);
  document["lost_runs"] = went_back->lost_runs;
  document["not_captured"] = went_back->not_captured;
  document["took_us"] = went_back->took_us;
  return document.dump();
}

using MemoryOf = std::map<SnapshotId, ParkedCopy::Memory>;

// Of what the copy said of itself, the part that whoever asked for the checkpoint wants to know at once.
void add_namespace(const std::string& metadata_json, Json& document) {
  const Json metadata = parse_bounded<Json>(metadata_json, kJsonValues);
  if (!metadata.is_object() || !metadata.contains("namespace") || !metadata["namespace"].is_object()) return;
  const Json& said = metadata["namespace"];
  for (const char* name : {"names", "names_left_out"})
    document[name] = said.contains(name) ? said[name] : Json(nullptr);
  const bool has_list = said.contains("lists") && said["lists"].is_object() && said["lists"].contains("left_out");
  document["left_out"] = has_list ? said["lists"]["left_out"] : Json::array();
}

Json snapshot_json(const Snapshots& snapshots, SnapshotId id, const StateTree::Entry& entry, const MemoryOf& memory) {
  Json row = {{"name", snapshots.name_of(id)}, {"kind", entry.checkpoint.empty() ? "snapshot" : "checkpoint"}};
  if (const ParkedCopy* copy = snapshots.find(id)) {
    const auto known = memory.find(id);
    row["age_s"] = to_seconds(now() - copy->made_at());
    row["pid"] = copy->pid();
    row["private_bytes"] = known == memory.end() ? Json(nullptr) : Json(known->second.private_bytes);
    row["shared_bytes"] = known == memory.end() ? Json(nullptr) : Json(known->second.shared_bytes);
    row["not_captured"] = copy->not_captured();
  }
  const auto fallback = snapshots.tree().fallback();
  row["is_fallback"] = fallback == id;
  return row;
}

Result<std::string> checkpoints_json(const Session& session, const MemoryOf& memory) {
  Json list = Json::array();
  for (const auto& [id, entry] : session.snapshots().tree().snapshots()) {
    list.push_back(snapshot_json(session.snapshots(), id, entry, memory));
  }
  Json document = {{"v", 1}, {"session", session.id()}, {"checkpoints", std::move(list)}};
  return document.dump();
}

}  // namespace

void SessionService::handle(const SessionRequest& request, uid_t uid, const std::string& default_profile,
                            uint64_t max_of_uid, Answer answer) {
  const std::string& operation = request.operation;
  if (operation == "new") return make(request, uid, default_profile, max_of_uid, std::move(answer));
  if (operation == "rm") {
    const Status removed = sessions_.remove(request.session, uid);
    if (!removed) return answer(tl::unexpected<Error>(removed.error()));
    return answer(session_json(request.session, "closed").dump());
  }
  if (is_about_stored(request, uid, answer)) return;
  if (operation == "fork") return fork(request, uid, max_of_uid, answer);
  if (operation == "adopt") {
    return sessions_.adopt(request.session, request.source, uid, [answer, id = request.session](const Status& adopted) {
      if (!adopted) return answer(tl::unexpected<Error>(adopted.error()));
      answer(session_json(id, "ready").dump());
    });
  }
  const auto session = sessions_.find(request.session, uid);
  if (!session) return answer(tl::unexpected<Error>(session.error()));
  const auto answer_return = [answer, id = request.session](const Result<Rollback>& went_back) {
    answer(went_back_json(id, went_back));
  };
  if (operation == "reset") return reset(request.session, **session, std::move(answer));
  if (operation == "undo") return (*session)->undo(request.count == 0 ? 1 : request.count, answer_return);
  if (operation == "restore") return (*session)->restore(request.checkpoint, answer_return);
  if (operation == "checkpoint") return checkpoint(request, **session, std::move(answer));
  if (operation == "checkpoint_ls") {
    return (*session)->measure_snapshots([this, answer, id = request.session](const MemoryOf& memory) {
      const Session* still = sessions_.find(id);
      if (still == nullptr) return answer(failure(Errc::kClosed, "session '" + id + "' was closed"));
      answer(checkpoints_json(*still, memory));
    });
  }
  if (operation == "checkpoint_rm") {
    const Status removed = (*session)->forget_checkpoint(request.checkpoint);
    if (!removed) return answer(tl::unexpected<Error>(removed.error()));
    return answer(session_json(request.session, "ready").dump());
  }
  answer(forbidden(label::Policy::kRequest, Errc::kInvalid,
                   "there is no operation '" + operation.substr(0, limits::kIdBytes) +
                       "'; there are new, ls, rm, reset, undo, fork, adopt, checkpoint, checkpoint_ls, "
                       "checkpoint_show, checkpoint_rm and restore"));
}

tl::unexpected<Error> SessionService::forbidden(label::Policy policy, Errc code, std::string why) {
  metrics_.policy_violated(policy);
  return failure(code, std::move(why));
}

void SessionService::make(const SessionRequest& request, uid_t uid, const std::string& default_profile,
                          uint64_t max_of_uid, Answer answer) {
  const std::string profile = request.profile.empty() ? default_profile : request.profile;
  const auto pool = pools_.find(profile);
  if (request.idle_timeout_ms > limits::kDurationMs) {
    return answer(forbidden(label::Policy::kRequest, Errc::kTooLarge, "idle_timeout_ms is out of range"));
  }
  if (pool == pools_.end()) {
    return answer(forbidden(label::Policy::kProfile, Errc::kNotFound, "there is no profile '" + profile + "'"));
  }
  if (!dispatcher_.may_hold_workers(uid, 1)) {
    return answer(forbidden(label::Policy::kUserCap, Errc::kUnavailable, UidUse::describe(UidUse::Cap::kWorkers)));
  }
  SessionRegistry::Request wanted{
      request.session, uid, milliseconds(request.idle_timeout_ms), request.limits, request.secrets, request.rollback,
      max_of_uid,      {}};
  if (request.checkpoint.empty()) return create(*pool->second, std::move(wanted), profile, std::move(answer));
  checkpoints_.open(uid, request.checkpoint,
                    [this, wanted = std::make_shared<SessionRegistry::Request>(std::move(wanted)), profile,
                     answer](Result<CheckpointStore::Opened> opened) {
                      if (!opened) return answer(tl::unexpected<Error>(opened.error()));
                      wanted->from = std::move(*opened);
                      create(*pools_.at(profile), std::move(*wanted), profile, answer);
                    });
}

void SessionService::fork(const SessionRequest& request, uid_t uid, uint64_t max_of_uid, const Answer& answer) {
  const auto original = sessions_.find(request.source, uid);
  if (!original) return answer(tl::unexpected<Error>(original.error()));
  const uint64_t count = std::max<uint64_t>(request.count, 1);
  if (!dispatcher_.may_hold_workers(uid, count)) {
    metrics_.forked(label::Fork::kRefused, count, {});
    return answer(forbidden(label::Policy::kUserCap, Errc::kUnavailable, UidUse::describe(UidUse::Cap::kWorkers)));
  }
  const SessionRegistry::ForkRequest wanted{request.session, count, request.rollback, max_of_uid, request.limits};
  sessions_.fork((*original)->shared_from_this(), wanted,
                 [answer, source = request.source](const Result<SessionRegistry::Forks>& forks) {
                   if (!forks) return answer(tl::unexpected<Error>(forks.error()));
                   Json document = session_json(source, "ready");
                   document["forks"] = forks->ids;
                   document["not_captured"] = forks->not_captured;
                   answer(document.dump(-1, ' ', false, Json::error_handler_t::replace));
                 });
}

void SessionService::create(Pool& pool, SessionRegistry::Request wanted, const std::string& profile, Answer answer) {
  sessions_.create(pool, std::move(wanted), [this, answer, profile](Result<std::string> id) {
    if (!id) return answer(tl::unexpected<Error>(id.error()));
    Json document = {{"v", 1}, {"session", *id}, {"profile", profile}, {"state", "ready"}};
    if (const Session* session = sessions_.find(*id); session != nullptr && !session->restore_report().empty()) {
      document["restored"] = parse_bounded<Json>(session->restore_report(), kJsonValues);
    }
    answer(document.dump(-1, ' ', false, Json::error_handler_t::replace));
  });
}

void SessionService::reset(const std::string& id, Session& session, Answer answer) {
  dispatcher_.session_broken(id);
  session.reset([this, answer, id](Status done) {
    if (done) return answer(session_json(id, "ready").dump());
    if (const Session* still = sessions_.find(id); still != nullptr && still->state() != SessionState::kStarting) {
      dispatcher_.session_ready(id);
    }
    answer(tl::unexpected<Error>(done.error()));
  });
}

// Durable checkpoints belong to a user, not to a session.
bool SessionService::is_about_stored(const SessionRequest& request, uid_t uid, const Answer& answer) {
  if (request.operation == "checkpoint_show") return checkpoints_.show(uid, request.checkpoint, answer), true;
  if (!request.session.empty()) return false;
  if (request.operation == "checkpoint_ls") return checkpoints_.list(uid, answer), true;
  if (request.operation == "checkpoint_rm") return checkpoints_.remove(uid, request.checkpoint, answer), true;
  return false;
}

void SessionService::save(const SessionRequest& request, Session& session, Answer answer) {
  session.save({request.checkpoint, request.notes, request.with_code},
               [answer, id = request.session](const Result<CheckpointEntry>& entry) {
                 if (!entry) return answer(tl::unexpected<Error>(entry.error()));
                 Json document = session_json(id, "ready");
                 document["checkpoint"] = entry->name;
                 document["file_bytes"] = entry->file_bytes;
                 document["payload_bytes"] = entry->info.trailer.lengths.payload;
                 add_namespace(entry->info.metadata, document);
                 answer(document.dump(-1, ' ', false, Json::error_handler_t::replace));
               });
}

void SessionService::checkpoint(const SessionRequest& request, Session& session, Answer answer) {
  if (request.durable) return save(request, session, std::move(answer));
  session.checkpoint(request.checkpoint, [answer, id = request.session, name = request.checkpoint](Status done) {
    if (!done) return answer(tl::unexpected<Error>(done.error()));
    Json document = session_json(id, "ready");
    document["checkpoint"] = name;
    answer(document.dump());
  });
}

}  // namespace capsule
