#include "manager/sessions/save_job.h"

#include <nlohmann/json.hpp>

#include "base/json_shape.h"
#include "base/posix_io.h"

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;

// What the copy says of the namespace is its own word; that it is JSON, of a sane depth, is all that is asked of it.
std::string compose(const std::string& facts, const std::string& of_namespace) {
  Json document = Json::parse(facts, nullptr, false);
  if (!document.is_object()) document = Json::object();
  Json said = parse_bounded<Json>(of_namespace, kJsonValues);
  document["namespace"] = said.is_object() ? std::move(said) : Json(nullptr);
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

SaveJob::SaveJob(Loop& loop, Metrics& metrics, CheckpointService& checkpoints, Start start, Done done)
    : loop_(loop),
      metrics_(metrics),
      checkpoints_(checkpoints),
      start_(std::move(start)),
      done_(std::move(done)),
      patience_(loop),
      stall_(loop),
      maker_(loop, metrics) {}

void SaveJob::begin() {
  ++tries_;
  patience_.after(checkpoints_.config().timeout + checkpoints_.config().stall_timeout + kPatience,
                  [this] { finish(failure(Errc::kTimedOut, "the checkpoint took too long (checkpoints.timeout_s)")); });
  maker_.copy_of(
      start_.capsule, *start_.copy, "checkpoint", [] {},
      [this](Result<std::unique_ptr<ParkedCopy>> copy) {
        if (copy) return serialise(std::move(*copy));
        // What sweeps after a crash does not know it yet.
        tries_ < kTries ? begin_again() : finish(tl::unexpected<Error>(copy.error()));
      });
}

void SaveJob::serialise(std::unique_ptr<ParkedCopy> copy) {
  auto pipe = make_pipe();
  if (!pipe) return finish(tl::unexpected<Error>(pipe.error()));
  at_work_ = std::move(copy);
  auto save = checkpoints_.save(
      start_.target, std::move(pipe->first),
      [facts = start_.facts_json](const std::string& of_namespace) { return compose(facts, of_namespace); },
      [this](CheckpointSave::Outcome outcome) { ended(std::move(outcome)); });
  if (!save) return finish(tl::unexpected<Error>(save.error()));
  save_ = std::move(*save);
  Checkpoint request;
  request.leave_out = leave_out_;
  request.timeout_ms = static_cast<uint64_t>(to_milliseconds(checkpoints_.config().timeout));
  request.stall_timeout_ms = static_cast<uint64_t>(to_milliseconds(checkpoints_.config().stall_timeout));
  request.bytes_max = checkpoints_.config().max_bytes;
  at_work_->serialise(std::move(request), std::move(pipe->second));
  is_stalled_ = false;
  watch_progress(0);
}

// The copy interrupts itself; not where the program's code stopped it, or is in C.
void SaveJob::watch_progress(uint64_t bytes_before) {
  stall_.after(2 * checkpoints_.config().stall_timeout + kStallPatience, [this, bytes_before] {
    if (!at_work_) return;
    const uint64_t bytes = save_->bytes_read();
    if (bytes != bytes_before || save_->is_writing()) return watch_progress(bytes);
    is_stalled_ = true;
    at_work_.reset();
  });
}

void SaveJob::ended(CheckpointSave::Outcome outcome) {
  stall_.cancel();
  at_work_.reset();
  const bool died = !outcome.entry && outcome.entry.error().code == Errc::kClosed;
  if (!died || outcome.name_at_work.empty() || tries_ >= kTries) return finish(std::move(outcome.entry));
  leave_out_[outcome.name_at_work] =
      is_stalled_ ? "pickling it gave nothing, and could not be interrupted" : "pickling it ended the process";
  begin_again();
}

void SaveJob::begin_again() {
  loop_.post([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) begin();
  });
}

void SaveJob::give_up(const Error& why) {
  patience_.cancel();
  stall_.cancel();
  const Result<CheckpointEntry> nothing = tl::unexpected<Error>(why);
  count(nothing);
  if (const auto done = std::exchange(done_, nullptr)) done(nothing);
}

void SaveJob::count(const Result<CheckpointEntry>& result) {
  if (!done_) return;  // it was counted
  metrics_.checkpointed(label::CheckpointWork::kSave,
                        result ? label::CheckpointOutcome::kDone : label::CheckpointOutcome::kFailed, now() - begun_at_,
                        result ? result->info.trailer.lengths.payload : 0);
}

void SaveJob::finish(Result<CheckpointEntry> result) {
  patience_.cancel();
  stall_.cancel();
  count(result);
  loop_.post([done = std::exchange(done_, nullptr), result = std::move(result)] {
    if (done) done(result);
  });
}

}  // namespace capsule
