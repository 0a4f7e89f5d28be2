#include "manager/schedule/run_admission.h"

#include <algorithm>

#include "base/fine_clock.h"

namespace capsule {
namespace {

// What a queued run holds in memory that its client chose the size of.
uint64_t bytes_of(const Execute& request) {
  uint64_t bytes = request.code.value.size() + request.filename.size();
  for (const std::string& argument : request.arguments) bytes += argument.size();
  return bytes;
}

}  // namespace

void RunAdmission::refused(label::Rejection reason) {
  metrics_.queue_rejected(reason);
  refusal_ = to_string(reason);
}

tl::unexpected<Error> RunAdmission::forbidden(label::Policy policy, Error error) {
  metrics_.policy_violated(policy);
  refusal_ = to_string(policy);
  return tl::unexpected<Error>(std::move(error));
}

// What can be said without looking at anything else.
Status RunAdmission::check_request(const Execute& request) {
  const auto wrong = [this](const char* what) { return forbidden(label::Policy::kRequest, {Errc::kInvalid, what}); };
  if (!is_printable_id(request.request_id)) {
    return wrong("request_id is 1 to 128 printable characters of ASCII without a space");
  }
  if (request.mode != "script" && request.mode != "cell") return wrong("mode is script or cell");
  if (!request.rollback.empty() && (request.session.empty() || !rollback_mode_from_string(request.rollback))) {
    return wrong("rollback is always, idle or off, and for runs in sessions");
  }
  if (!request.environment.empty()) return wrong("secrets belong to a session");
  if (const Status known = check_required(request.require); !known) {
    return forbidden(label::Policy::kLayer, known.error());
  }
  return {};
}

Result<const Profile*> RunAdmission::profile_for(const Execute& request, uid_t uid,
                                                 const std::string& default_profile) {
  std::string name = request.profile.empty() ? default_profile : request.profile;
  if (!request.session.empty()) {
    const auto session = sessions_.find(request.session, uid);
    if (!session) {
      refusal_ = to_string(label::Policy::kSession);  // the registry has counted it
      return tl::unexpected<Error>(session.error());
    }
    if (!request.profile.empty() && request.profile != (*session)->profile()) {
      return forbidden(label::Policy::kRequest, {Errc::kInvalid, "session '" + request.session + "' has the profile '" +
                                                                     (*session)->profile() + "'"});
    }
    name = (*session)->profile();
  }
  const auto pool = pools_.find(name);
  if (pool != pools_.end()) return &pool->second->profile();
  std::string known;
  for (const auto& [other, unused] : pools_) known += (known.empty() ? "" : ", ") + other;
  return forbidden(
      label::Policy::kProfile,
      {Errc::kNotFound, "there is no profile '" + name.substr(0, limits::kIdBytes) + "'; there are: " + known});
}

Result<RunSettings> RunAdmission::settings_for(const Execute& request, const Profile& profile, Above above) const {
  Session* session = request.session.empty() ? nullptr : sessions_.find(request.session);
  auto settings =
      run_settings(request, profile.settings, session == nullptr ? SessionLimits{} : session->limits(), above);
  if (!settings) return settings;
  settings->worker_user = worker_user_;
  if (session != nullptr) {
    settings->secrets = session->secrets();
    settings->parked_copies = session->parked_copies();
    settings->spare_memory = session->spare_memory();
  }
  return settings;
}

Status RunAdmission::check_user(uid_t uid, uint64_t bytes, UidUse& uids) {
  if (bytes > queue_bytes_ - std::min(queue_bytes_, uids.queued_bytes())) {
    refused(label::Rejection::kQueueFull);
    return failure(Errc::kUnavailable, "the queued runs of all users have as much code as they may (queue.code_bytes)");
  }
  const auto passed = uids.passed_by_run(uid, bytes, now());
  if (!passed) return {};
  metrics_.policy_violated(label::Policy::kUserCap);
  refused(*passed == UidUse::Cap::kCrashes ? label::Rejection::kUidCrashes : label::Rejection::kUidFull);
  return failure(Errc::kUnavailable, UidUse::describe(*passed));
}

// Beyond it a run waits, unless runs of this profile never wait for a worker.
Status RunAdmission::check_workers(uid_t uid, const UidUse& uids, const PoolConfig& config) {
  if (config.exhaustion == Exhaustion::kWait || uids.may_hold_workers(uid, sessions_.count_of(uid), 1)) return {};
  metrics_.policy_violated(label::Policy::kUserCap);
  refused(label::Rejection::kUidFull);
  return failure(Errc::kUnavailable, UidUse::describe(UidUse::Cap::kWorkers));
}

Status RunAdmission::check_pool(const Pool& pool) {
  const Status admitted = pool.admit();
  if (admitted) return {};
  const bool unavailable = pool.state() == Pool::State::kUnavailable;
  refused(unavailable ? label::Rejection::kProfileUnavailable : label::Rejection::kPoolExhausted);
  return admitted;
}

std::shared_ptr<Run> RunAdmission::make_run(Execute& request, const Submitter& submitter, const std::string& profile) {
  auto run = std::make_shared<Run>();
  run->created_wall_ms = wall_clock_ms();
  run->id = ids_.next(run->created_wall_ms);
  run->client = submitter.client;
  run->uid = submitter.uid;
  run->listener = submitter.listener;
  run->profile = profile;
  run->queued_at = now();
  run->request_id = std::exchange(request.request_id, {});
  const Session* session = request.session.empty() ? nullptr : sessions_.find(request.session);
  run->trace = {trace_ids_.begin(std::exchange(request.traceparent, {})),
                session != nullptr ? session->trace() : std::make_shared<TraceBuffer>(TraceBuffer::kRunMarks),
                ++traced_, wall_clock_us() - to_microseconds(run->queued_at - submitter.at)};
  run->trace.mark(TraceEvent::kSubmitted, submitter.at);
  run->trace.mark(TraceEvent::kAdmitted, run->queued_at);
  return run;
}

Result<Admitted> RunAdmission::admit(Execute request, const Submitter& submitter, const std::string& default_profile,
                                     UidUse& uids) {
  if (const Status good = check_request(request); !good) return tl::unexpected<Error>(good.error());
  const auto profile = profile_for(request, submitter.uid, default_profile);
  if (!profile) return tl::unexpected<Error>(profile.error());
  auto settings = settings_for(request, **profile);
  if (!settings) {
    const bool is_above = settings.error().code == Errc::kRefused;
    return forbidden(is_above ? label::Policy::kLimit : label::Policy::kRequest, settings.error());
  }
  const uint64_t bytes = bytes_of(request);
  if (const Status user = check_user(submitter.uid, bytes, uids); !user) return tl::unexpected<Error>(user.error());
  const bool one_shot = request.session.empty();
  if (one_shot) {
    const Status may = check_workers(submitter.uid, uids, (*profile)->settings.pool);
    if (!may) return tl::unexpected<Error>(may.error());
    if (const Status room = check_pool(*pools_.at((*profile)->name)); !room) return tl::unexpected<Error>(room.error());
  }
  auto run = make_run(request, submitter, (*profile)->name);
  const TimePoint at = run->queued_at;
  const TimePoint deadline = one_shot ? at + (*profile)->settings.pool.acquire_timeout : TimePoint::max();
  QueuedRun queued{run->id, run->client, run->uid, request.session, run->profile, at, deadline};
  if (request.upload != 0) {
    auto upload = files_.take_upload(std::exchange(request.upload, 0), submitter.client);
    if (!upload) return forbidden(label::Policy::kRequest, upload.error());
    run->upload = std::move(*upload);
  }
  run->queued_bytes = bytes;
  run->request = std::move(request);
  return Admitted{std::move(run), std::move(queued), std::move(*settings)};
}

}  // namespace capsule
