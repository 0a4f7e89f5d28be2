#include "cli/event_lines.h"

#include "base/utf8.h"
#include "cli/run_json.h"

namespace capsule::cli {
namespace {

Json event(std::string_view name, const std::string& run_id) { return {{"v", 1}, {"event", name}, {"run_id", run_id}}; }

Json metadata_json(const std::string& text) {
  if (text.empty()) return Json::object();
  return bundle_json({{"application/json", {text}}})["application/json"];
}

Json to_json(const Accepted& m) {
  Json line = event(m.kType, m.run_id);
  line["queued_before"] = m.queued_before;
  line["request_id"] = m.request_id;
  line["trace_id"] = trace_id_of(m.traceparent);
  return line;
}

Json to_json(const Started& m) {
  Json line = event(m.kType, m.run_id);
  line["queue_s"] = static_cast<double>(m.queue_us) / 1e6;
  line["lease"] = m.lease;
  return line;
}

// A chunk may end inside a character: it is text only when all of it is.
Json to_json(const Output& m) {
  Json line = event(m.kType, m.run_id);
  line["stream"] = m.stream == 2 ? "stderr" : "stdout";
  line["seq"] = m.seq;
  line["offset"] = m.offset;
  if (m.late) line["late"] = true;
  if (is_valid_utf8(m.data.value)) {
    line["text"] = m.data.value;
  } else {
    line["base64"] = base64(m.data.value);
  }
  return line;
}

Json to_json(const Display& m) {
  Json line = event(m.kType, m.run_id);
  line["display_id"] = m.display_id;
  line["update"] = m.update;
  line["data"] = bundle_json(m.data);
  line["metadata"] = metadata_json(m.metadata_json);
  return line;
}

Json to_json(const ResultValue& m) {
  Json line = event(m.kType, m.run_id);
  line["execution_count"] = m.execution_count;
  line["data"] = bundle_json(m.data);
  line["metadata"] = metadata_json(m.metadata_json);
  return line;
}

Json to_json(const Finished& m) {
  Json line = event(m.kType, m.run_id);
  line["verdict"] = to_string(m.verdict);
  line["exit_status"] = m.exit_status;
  line["error"] = error_json(m.error);
  line["evidence"] = evidence_json(m.evidence);
  line["usage"] = usage_json(m.usage);
  line["layers"] = layers_json(m.evidence.layers);
  return line;
}

Json to_json(const Shutdown& m) { return {{"v", 1}, {"event", m.kType}, {"reason", m.reason}}; }

Json to_json(const ErrorReply& m) { return {{"v", 1}, {"event", m.kType}, {"code", m.code}, {"message", m.message}}; }

}  // namespace

std::string event_line(const Message& message) {
  return std::visit(
      [](const auto& m) -> std::string {
        if constexpr (requires { to_json(m); }) {
          return dump_line(to_json(m));
        } else {
          return {};
        }
      },
      message);
}

Status EventLines::show(const Message& message) { return stdio_.write(Stream::kOut, event_line(message)); }

}  // namespace capsule::cli
