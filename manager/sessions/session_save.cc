// Durable checkpoints of a session: out of it, and into a new one.
#include <nlohmann/json.hpp>

#include "base/json_shape.h"
#include "base/posix_io.h"
#include "manager/observe/log.h"
#include "manager/sessions/session.h"

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;

PythonVersion python_of(const Worker& worker) {
  unsigned major = 0, minor = 0;
  if (std::sscanf(worker.hello().python.c_str(), "%u.%u", &major, &minor) != 2) return {};
  return {static_cast<uint8_t>(major), static_cast<uint8_t>(minor)};
}

std::string text_of(const PythonVersion& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor);
}

}  // namespace

// ---- out -------------------------------------------------------------------------------------------------------

void Session::remember_code(const std::string& run_id) {
  code_bytes_ += run_id.size() + code_.size();
  codes_.emplace_back(run_id, std::move(code_));
  code_.clear();
  while (code_bytes_ > kCodeBytes && !codes_.empty()) {
    code_bytes_ -= codes_.front().first.size() + codes_.front().second.size();
    codes_.pop_front();
  }
}

void Session::save(SaveRequest request, SaveJob::Done answer) {
  when_free([this, request = std::move(request), answer](const Status& free) {
    if (!free) return answer(tl::unexpected<Error>(free.error()));
    if (const Status good = check_checkpoint_name(request.checkpoint); !good) {
      return answer(tl::unexpected<Error>(good.error()));
    }
    if (saves_.size() >= kSaves) {
      return answer(failure(Errc::kUnavailable, "checkpoints of this session are being written; wait for them"));
    }
    events_.on_broken();
    snapshots_.take_aside(lease_, [self = weak_from_this(), request, answer](Result<std::unique_ptr<ParkedCopy>> copy) {
      const auto session = self.lock();
      if (!session || session->state_ == SessionState::kClosed) {
        return answer(failure(Errc::kClosed, "the session was closed"));
      }
      const bool is_lost = !copy && copy.error().code == Errc::kTimedOut;
      copy ? session->begin_save(request, std::move(*copy), answer) : answer(tl::unexpected<Error>(copy.error()));
      if (is_lost) return session->lose_between_runs(label::Recycle::kLost, kNoCopyInTime);
      session->act_when_free({});
      if (session->is_free()) session->events_.on_ready();
      session->watch_idleness();
    });
  });
}

void Session::begin_save(const SaveRequest& request, std::unique_ptr<ParkedCopy> copy, const SaveJob::Done& answer) {
  SaveJob::Start start{lease_.capsule,
                       std::move(copy),
                       {start_.uid, request.checkpoint, IfThere::kRefuse, python_of(*lease_.worker)},
                       facts_of(request)};
  auto place = saves_.insert(saves_.end(), nullptr);
  *place = std::make_unique<SaveJob>(loop_, metrics_, checkpoints_, std::move(start),
                                     [self = weak_from_this(), place, answer](Result<CheckpointEntry> entry) {
                                       const auto session = self.lock();
                                       if (session && session->state_ != SessionState::kClosed)
                                         session->saves_.erase(place);
                                       answer(std::move(entry));
                                     });
  (*place)->begin();
}

Session::History Session::history() const {
  History all = start_.history ? *start_.history : History{};
  if (!parent_checkpoint_.empty()) all.parent_checkpoint = parent_checkpoint_;
  const StateTree::Runs runs = snapshots_.tree().runs_since(std::nullopt);
  all.runs += runs.count;
  for (const auto& code : codes_) {
    if (std::find(runs.ids.begin(), runs.ids.end(), code.first) != runs.ids.end()) all.codes.push_back(code);
  }
  return all;
}

std::string Session::facts_of(const SaveRequest& request) const {
  const History led_here = history();
  Json facts = {{"name", request.checkpoint},
                {"session", id()},
                {"profile", profile()},
                {"uid", start_.uid},
                {"created_at", format_utc(wall_clock_ms())},
                {"runs", led_here.runs},
                {"parent", led_here.parent_checkpoint.empty() ? Json(nullptr) : Json(led_here.parent_checkpoint)},
                {"notes", request.notes}};
  if (request.with_code) {
    Json list = Json::array();
    for (const auto& [run_id, code] : led_here.codes) list.push_back({{"run_id", run_id}, {"code", code}});
    facts["code"] = std::move(list);
  }
  return facts.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// ---- in --------------------------------------------------------------------------------------------------------

// Before it is ready for the first time. What comes of it is in the answer to `new`.
void Session::fill_namespace() {
  CheckpointStore::Opened opened = std::move(*start_.from);
  start_.from.reset();
  const PythonVersion wanted = opened.info.header.python, have = python_of(*lease_.worker);
  if (!(wanted == have)) {
    return fail(
        {Errc::kInvalid, "the checkpoint is from Python " + text_of(wanted) + ", this profile has " + text_of(have)});
  }
  if (opened.info.trailer.lengths.payload > checkpoints_.config().max_bytes) {
    return fail({Errc::kTooLarge, "the checkpoint is larger than checkpoints.max_bytes"});
  }
  auto pipe = make_pipe();
  if (!pipe) return fail(pipe.error());
  const Json metadata = parse_bounded<Json>(opened.info.metadata, kJsonValues);
  if (metadata.is_object() && metadata.contains("name") && metadata["name"].is_string()) {
    parent_checkpoint_ = metadata["name"].get<std::string>();
  }
  is_filling_ = true;
  filling_since_ = now();
  filling_bytes_ = opened.info.trailer.lengths.payload;
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(pipe->first));
  lease_.worker->send(Restore{1}, std::move(fds));
  load_ = checkpoints_.load(std::move(opened), std::move(pipe->second), [this](Result<CheckpointInfo> loaded) {
    if (!loaded && loaded.error().code != Errc::kClosed) fail(loaded.error());
  });
  return_timer_.after(checkpoints_.config().timeout, [this] {
    fail({Errc::kTimedOut, "the checkpoint took too long to restore (checkpoints.timeout_s)"});
  });
}

void Session::namespace_filled(const Report& report) {
  is_filling_ = false;
  return_timer_.cancel();
  if (!report.failure.empty())
    return fail({Errc::kUnavailable, "the checkpoint cannot be restored: " + report.failure});
  const Json said = parse_bounded<Json>(report.json.value, kJsonValues);
  const auto whole = said.find("whole");
  if (whole == said.end() || *whole != true)
    return fail({Errc::kInvalid, "the checkpoint could not be read to its end"});
  metrics_.checkpointed(label::CheckpointWork::kRestore, label::CheckpointOutcome::kDone, now() - filling_since_,
                        filling_bytes_);
  filling_since_ = {};
  restore_report_ = report.json.value;
  snapshots_.clear(Origin::kUnique);
  load_.reset();
  lease_.worker->mark();
  ready();
}

}  // namespace capsule
