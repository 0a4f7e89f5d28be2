#include "cli/final_document.h"

#include <algorithm>

#include "cli/exit_code.h"
#include "cli/run_json.h"

namespace capsule::cli {
namespace {

size_t size_of(const Bundle& bundle) {
  size_t bytes = 0;
  for (const auto& [mime, data] : bundle) bytes += mime.size() + data.value.size();
  return bytes;
}

}  // namespace

Status FinalDocument::show(const Message& message) {
  if (const auto* accepted = std::get_if<Accepted>(&message)) {
    run_id_ = accepted->run_id;
    request_id_ = accepted->request_id;
    trace_id_ = trace_id_of(accepted->traceparent);
  } else if (const auto* output = std::get_if<Output>(&message)) {
    capture(*output);
  } else if (const auto* display = std::get_if<Display>(&message)) {
    capture(*display);
  } else if (const auto* result = std::get_if<ResultValue>(&message)) {
    result_ = result->data;
  } else if (const auto* finished = std::get_if<Finished>(&message)) {
    if (writing_ == Writing::kWhenTold) {
      kept_ = *finished;
      return {};
    }
    return stdio_.write(Stream::kOut, finished_text(*finished));
  } else if (const auto* refusal = std::get_if<ErrorReply>(&message)) {
    return stdio_.write(Stream::kOut, rejected_text(*refusal));
  }
  return {};
}

Status FinalDocument::write(const std::string& artifacts_json) {
  return kept_ ? stdio_.write(Stream::kOut, finished_text(*kept_, artifacts_json)) : Status{};
}

void FinalDocument::capture(const Output& output) {
  const std::string& data = output.data.value;
  if (output.late) {
    late_bytes_ += data.size();
    return;
  }
  const size_t kept = std::min(room_bytes_, data.size());
  (output.stream == 2 ? stderr_ : stdout_).append(data, 0, kept);
  room_bytes_ -= kept;
  dropped_bytes_ += data.size() - kept;
}

void FinalDocument::capture(const Display& display) {
  const auto same = [&](const Shown& shown) { return shown.display_id == display.display_id; };
  const auto old = display.update && !display.display_id.empty()
                       ? std::find_if(displays_.begin(), displays_.end(), same)
                       : displays_.end();
  const size_t bytes = size_of(display.data);
  const size_t freed = old == displays_.end() ? 0 : size_of(old->data);
  const bool fits = bytes <= kDisplayBytes - display_bytes_ + freed;
  if (!fits || (old == displays_.end() && displays_.size() >= kDisplays)) {
    ++dropped_displays_;
    return;
  }
  display_bytes_ = display_bytes_ + bytes - freed;
  if (old == displays_.end()) {
    displays_.push_back({display.display_id, display.data});
  } else {
    old->data = display.data;
  }
}

std::string FinalDocument::finished_text(const Finished& finished, const std::string& artifacts_json,
                                         const std::string& layers_missing) const {
  Json document;
  document["v"] = 1;
  document["run_id"] = finished.run_id;
  if (!session_.empty()) document["session"] = session_;
  document["request_id"] = request_id_.empty() ? Json(nullptr) : Json(request_id_);
  document["trace_id"] = trace_id_.empty() ? Json(nullptr) : Json(trace_id_);
  document["verdict"] = to_string(finished.verdict);
  document["exit_status"] = finished.exit_status;
  put_text(document, "stdout", stdout_);
  put_text(document, "stderr", stderr_);
  if (dropped_bytes_ > 0) document["truncated_by_client"] = dropped_bytes_;
  document["result"] = result_ ? bundle_json(*result_) : Json(nullptr);
  Json displays = Json::array();
  for (const Shown& shown : displays_) displays.push_back(bundle_json(shown.data));
  document["displays"] = std::move(displays);
  if (dropped_displays_ > 0) document["displays_dropped_by_client"] = dropped_displays_;
  if (late_bytes_ > 0) document["late_output_bytes"] = late_bytes_;
  document["error"] = error_json(finished.error);
  document["evidence"] = evidence_json(finished.evidence);
  document["usage"] = usage_json(finished.usage);
  document["layers"] = layers_json(finished.evidence.layers);
  if (finished.evidence.layers.empty()) {
    document["layers_missing"] = layers_missing.empty() ? "no capsule of its profile had come up" : layers_missing;
  }
  if (!artifacts_json.empty()) document["artifacts"] = Json::parse(artifacts_json);
  return dump_line(document);
}

std::string FinalDocument::rejected_text(const ErrorReply& refusal) const {
  Finished rejected;
  rejected.run_id = run_id_;
  rejected.verdict = Verdict::kRejected;
  rejected.exit_status = kExitUnavailable;
  rejected.evidence.detail = refusal.message;
  rejected.evidence.retry = refusal.code == to_string(Errc::kUnavailable) || refusal.code == to_string(Errc::kTimedOut);
  ProfileLayers profile{{}, "the manager closed the connection"};
  if (refusal.re != 0 && profile_layers_) profile = profile_layers_();
  rejected.evidence.layers = std::move(profile.layers);
  return finished_text(rejected, {}, profile.missing);
}

}  // namespace capsule::cli
