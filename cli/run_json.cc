#include "cli/run_json.h"

#include "base/json_shape.h"
#include "base/utf8.h"

namespace capsule::cli {
namespace {

Json representation_json(const std::string& mime, const std::string& data) {
  if (is_json_type(mime)) {
    Json parsed = parse_bounded<Json>(data, std::string_view::npos);  // nested too deep it stays text
    if (!parsed.is_discarded()) return parsed;
  }
  if (is_json_type(mime) || is_text_type(mime)) return replace_invalid_utf8(data);
  return base64(data);
}

double seconds_of(uint64_t us) { return static_cast<double>(us) / 1e6; }

}  // namespace

bool is_json_type(std::string_view mime) { return mime == "application/json" || mime.ends_with("+json"); }

bool is_text_type(std::string_view mime) {
  return mime.starts_with("text/") || mime.ends_with("+xml") || mime == "application/javascript";
}

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      const bool is_padding = i + k > bytes.size();
      out += is_padding ? '=' : kAlphabet[group >> (18 - 6 * k) & 63];
    }
  }
  return out;
}

Json bundle_json(const Bundle& bundle) {
  Json out = Json::object();
  for (const auto& [mime, data] : bundle) out[mime] = representation_json(mime, data.value);
  return out;
}

Json error_json(const std::optional<RaisedError>& error) {
  if (!error) return nullptr;
  return {{"name", error->name}, {"value", error->value}, {"traceback", error->traceback}};
}

Json layers_json(const std::vector<Layer>& layers) {
  Json out = Json::array();
  for (const Layer& layer : layers) {
    out.push_back({{"name", layer.name}, {"state", layer.state}, {"detail", layer.detail}});
  }
  return out;
}

namespace {

Json rollback_json(const Rollback& rollback) {
  return {{"snapshot", rollback.snapshot.empty() ? Json(nullptr) : Json(rollback.snapshot)},
          {"took_us", rollback.took_us},
          {"lost_runs", rollback.lost_runs},
          {"not_captured", rollback.not_captured}};
}

Json fallback_json(const Fallback& fallback) {
  return {{"snapshot", fallback.snapshot.empty() ? Json(nullptr) : Json(fallback.snapshot)},
          {"lost_runs", fallback.lost_runs},
          {"lost_run_count", fallback.lost_run_count},
          {"refused", fallback.refused}};
}

}  // namespace

Json evidence_json(const Evidence& evidence) {
  Json out;
  out["signal"] = evidence.signal;
  out["exit_code"] = evidence.exit_code ? Json(*evidence.exit_code) : Json(nullptr);
  out["limit"] = evidence.limit;
  out["rung"] = evidence.rung;
  out["detail"] = evidence.detail;
  put_text(out, "last_output", evidence.last_output.value);
  put_text(out, "stack", evidence.stack.value);
  out["stack_missing"] = evidence.stack_missing;
  out["oom_kills"] = evidence.oom_kills;
  out["session_state"] = evidence.session_state;
  if (evidence.rollback) out["rollback"] = rollback_json(*evidence.rollback);
  if (evidence.fallback) out["fallback"] = fallback_json(*evidence.fallback);
  out["layers"] = layers_json(evidence.layers);
  const OutputCount& output = evidence.output;
  out["output"] = {{"stdout_bytes", output.stdout_bytes},
                   {"stderr_bytes", output.stderr_bytes},
                   {"enqueued_bytes", output.enqueued_bytes},
                   {"dropped_bytes", output.dropped_bytes},
                   {"chunks", output.chunks},
                   {"deepest_queue_bytes", output.deepest_queue_bytes},
                   {"pending_bytes", output.pending_bytes}};
  out["namespace_names"] = evidence.namespace_names;
  out["late_interrupts"] = evidence.late_interrupts;
  out["left_threads"] = evidence.left_threads;
  out["awaited"] = evidence.awaited;
  out["blocking_calls"] = evidence.blocking_calls;
  out["retry"] = evidence.retry;
  return out;
}

Json usage_json(const Usage& usage) {
  return {{"wall_s", seconds_of(usage.wall_us)},
          {"cpu_user_s", seconds_of(usage.cpu_user_us)},
          {"cpu_system_s", seconds_of(usage.cpu_system_us)},
          {"queue_s", seconds_of(usage.queue_us)},
          {"peak_memory_bytes", usage.peak_memory_bytes},
          {"minor_faults", usage.minor_faults},
          {"major_faults", usage.major_faults}};
}

std::string trace_id_of(const std::string& traceparent) {
  constexpr size_t kAt = 3, kDigits = 32;  // 00-<trace>-<span>-<flags>
  return traceparent.size() < kAt + kDigits ? std::string() : traceparent.substr(kAt, kDigits);
}

void put_text(Json& into, const std::string& key, std::string_view bytes) {
  into[key] = replace_invalid_utf8(bytes);
  if (!is_valid_utf8(bytes)) into[key + "_base64"] = base64(bytes);
}

std::string dump_line(const Json& value) {
  return escape_control_in_json(value.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n";
}

}  // namespace capsule::cli
