// Whether a run is taken at all: its profile or session, its limits, what its user may still have, a place in its pool.
// What passes becomes a Run with an id and a place to queue at; from then on it is the dispatcher's. Errors say what
// the client can do about it, and each refusal is counted under its reason.
//
// Owned by the dispatcher; lives on the loop's thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/uuid7.h"
#include "manager/files/file_service.h"
#include "manager/pool/pool.h"
#include "manager/schedule/run.h"
#include "manager/schedule/run_settings.h"
#include "manager/schedule/uid_use.h"
#include "manager/sessions/session_registry.h"

namespace capsule {

using Pools = std::map<std::string, std::unique_ptr<Pool>>;

struct Submitter {
  ClientKey client = 0;
  uid_t uid = 0;
  std::weak_ptr<RunClient> listener;
  TimePoint at{};  // when the request came
};

struct Admitted {
  std::shared_ptr<Run> run;
  QueuedRun queued;
  RunSettings settings;  // as of now; a reload may change them before it starts
};

class RunAdmission {
 public:
  RunAdmission(Pools& pools, SessionRegistry& sessions, FileService& files, Metrics& metrics, unsigned worker_user)
      : pools_(pools), sessions_(sessions), files_(files), metrics_(metrics), worker_user_(worker_user) {}

  void set_queue_bytes(uint64_t most) { queue_bytes_ = most; }

  // `default_profile` is for requests that name none.
  Result<Admitted> admit(Execute request, const Submitter& submitter, const std::string& default_profile, UidUse& uids);
  // Why the latest admit() said no: a word of labels.h.
  std::string_view refusal() const { return refusal_; }
  // For who refuses a run after all: counts it under its reason.
  void refused(label::Rejection reason);
  // What holds for a run of this request: also asked again when it starts, for a reload may have come between.
  Result<RunSettings> settings_for(const Execute& request, const Profile& profile, Above above = Above::kRefused) const;

 private:
  tl::unexpected<Error> forbidden(label::Policy policy, Error error);
  Status check_request(const Execute& request);
  Result<const Profile*> profile_for(const Execute& request, uid_t uid, const std::string& default_profile);
  Status check_user(uid_t uid, uint64_t bytes, UidUse& uids);
  Status check_workers(uid_t uid, const UidUse& uids, const PoolConfig& config);
  Status check_pool(const Pool& pool);
  std::shared_ptr<Run> make_run(Execute& request, const Submitter& submitter, const std::string& profile);

  Pools& pools_;
  SessionRegistry& sessions_;
  FileService& files_;
  Metrics& metrics_;
  unsigned worker_user_;
  uint64_t queue_bytes_ = 0;  // queue.code_bytes
  std::string_view refusal_;
  Uuid7Generator ids_;
  TraceIds trace_ids_;
  uint64_t traced_ = 0;  // runs so far
};

}  // namespace capsule
