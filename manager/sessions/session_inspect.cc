// A look into a session's namespace, and at its worker's frames.
#include "manager/observe/log.h"
#include "manager/sessions/session.h"

namespace capsule {
namespace {
constexpr seconds kInspectPatience{5};  // for a worker that looks for a quarter of a second
}

void Session::inspect(Inspected answer) {
  when_free([this, answer](const Status& free) {
    if (!free) return answer(tl::unexpected<Error>(free.error()));
    inspected_ = answer;
    events_.on_broken();  // no run begins meanwhile
    Inspect request;
    request.id = ++last_inspection_;
    request.hashed = pool_.profile().settings.run.inspect == InspectMode::kHashed;
    lease_.worker->send(request);
    inspect_timer_.after(kInspectPatience, [this] {
      end_inspection(failure(Errc::kTimedOut, "the session's worker did not answer in time"));
      lose_between_runs(label::Recycle::kLost, "did not tell of its namespace in time");
    });
  });
}

bool Session::told_namespace(const Report& report) {
  if (!inspected_ || report.re != last_inspection_) return false;
  if (report.failure.empty()) {
    end_inspection(report.json.value);
  } else {
    end_inspection(failure(Errc::kUnavailable, "the worker could not tell of its namespace: " + report.failure));
  }
  act_when_free({});
  if (is_free()) events_.on_ready();
  watch_idleness();
  return true;
}

void Session::end_inspection(const Result<std::string>& told) {
  if (!inspected_) return;
  inspect_timer_.cancel();
  std::exchange(inspected_, nullptr)(told);
}

void Session::worker_is_gone() {
  snapshots_.worker_is_gone();
  end_inspection(failure(Errc::kClosed, "the session lost its worker meanwhile"));
}

// ---- taps ------------------------------------------------------------------------------------------------------

void Session::hold_worker() {
  lease_.worker->set_holder(this);
  lease_.worker->set_tap(tap_);
}

Status Session::tap(FrameTap::Listener listener) {
  if (!tap_) tap_ = std::make_shared<FrameTap>(id());
  const Status added = tap_->add(std::move(listener));
  if (lease_.worker) lease_.worker->set_tap(tap_);
  return added;
}

void Session::untap(ClientKey client) {
  if (!tap_) return;
  tap_->remove(client);
  if (!tap_->is_empty()) return;
  tap_.reset();
  if (lease_.worker) lease_.worker->set_tap(nullptr);
}

}  // namespace capsule
