// Where a run is now: asked of its worker, told as JSON.
#include <nlohmann/json.hpp>

#include "manager/link/stack_text.h"
#include "manager/schedule/dispatcher.h"

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;

std::string stack_document(const Run& run, const std::string& told) {
  const std::string text = program_stack(told);
  Json lines = Json::array();
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  const bool is_empty = lines.empty();
  const Json document = {{"v", 1},
                         {"run_id", run.id},
                         {"at", format_utc(wall_clock_ms())},
                         {"running_s", to_seconds(now() - run.started_at)},
                         {"stack", std::move(lines)},
                         {"missing", is_empty ? Json("no code of the program is on a stack") : Json(nullptr)}};
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void Dispatcher::stack(const std::string& run_id, uid_t uid, const Answer& answer) {
  const auto may_ask = [&](const Run& run) { return run.id == run_id && (run.uid == uid || uid == 0); };
  const auto found = runs_.find(run_id);
  if (found == runs_.end() || !may_ask(*found->second.run)) {
    const bool is_over =
        std::any_of(finished_.begin(), finished_.end(), [&](const auto& run) { return may_ask(*run); });
    if (is_over) {
      return answer(failure(Errc::kConflict, "run '" + run_id + "' is over; `capsule inspect " + run_id +
                                                 "` shows where it was, if it was stopped"));
    }
    return answer(failure(Errc::kNotFound, "no run '" + run_id.substr(0, limits::kIdBytes) +
                                               "' is running; `capsule ps` lists those that are"));
  }
  if (!found->second.driver) {
    return answer(failure(Errc::kConflict, "run '" + run_id + "' is queued: it has no stack yet"));
  }
  found->second.driver->tell_stack([run = found->second.run, answer](const Result<std::string>& told) {
    if (!told) return answer(tl::unexpected<Error>(told.error()));
    answer(stack_document(*run, *told));
  });
}

}  // namespace capsule
