#include "manager/storage/record_info.h"

#include <algorithm>

#include "base/clock.h"
#include "base/digest.h"
#include "base/utf8.h"
#include "manager/storage/run_folder.h"

namespace capsule {
namespace {

double in_seconds(uint64_t us) { return static_cast<double>(us) / 1e6; }

InfoJson or_null(std::string_view text) { return text.empty() ? InfoJson(nullptr) : InfoJson(text); }

InfoJson utc_or_null(uint64_t wall_ms) {
  return wall_ms == 0 ? InfoJson(nullptr) : InfoJson(format_utc(static_cast<int64_t>(wall_ms)));
}

InfoJson seconds_or_null(const Note& note, std::string_view key_ms) {
  const uint64_t ms = note_number(note, key_ms);
  return ms == 0 ? InfoJson(nullptr) : InfoJson(static_cast<double>(ms) / 1e3);
}

// What there is none of is none, and not 0.
InfoJson number_or_null(const Note& note, std::string_view key) {
  const uint64_t number = note_number(note, key);
  return number == 0 ? InfoJson(nullptr) : InfoJson(number);
}

InfoJson limits_of(const Note& note) {
  const uint64_t memory_bytes = note_number(note, "memory_bytes");
  return {{"wall_s", seconds_or_null(note, "timeout_ms")},
          {"grace_s", static_cast<double>(note_number(note, "grace_ms")) / 1e3},
          {"cpu_s", seconds_or_null(note, "cpu_ms")},
          {"memory_bytes", memory_bytes == 0 ? InfoJson(nullptr) : InfoJson(memory_bytes)},
          {"output_bytes", note_number(note, "output_bytes")},
          {"output_policy", note_text(note, "output_policy")},
          {"processes", note_number(note, "processes")},
          {"open_files", note_number(note, "open_files")},
          {"workspace_bytes", note_number(note, "workspace_bytes")},
          {"workspace_files", note_number(note, "workspace_files")}};
}

// "seccomp=on root=degraded"
InfoJson layers_of(std::string_view text) {
  InfoJson layers = InfoJson::object();
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const size_t middle = word.find('=');
    if (middle != word.npos) layers[std::string(word.substr(0, middle))] = word.substr(middle + 1);
  }
  return layers;
}

InfoJson lines_of(const std::string& text) {
  InfoJson lines = InfoJson::array();
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(replace_invalid_utf8(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
  return lines;
}

InfoJson rollback_json(const Evidence& evidence) {
  if (!evidence.rollback) return nullptr;
  return {{"snapshot", or_null(evidence.rollback->snapshot)},
          {"took_s", in_seconds(evidence.rollback->took_us)},
          {"lost_runs", evidence.rollback->lost_runs},
          {"not_captured", evidence.rollback->not_captured}};
}

InfoJson evidence_json(const Evidence& evidence) {
  return {{"detail", or_null(evidence.detail)},
          {"signal", evidence.signal == 0 ? InfoJson(nullptr) : InfoJson(evidence.signal)},
          {"exit_code", evidence.exit_code ? InfoJson(*evidence.exit_code) : InfoJson(nullptr)},
          {"limit", or_null(evidence.limit)},
          {"rung", or_null(evidence.rung)},
          {"oom_kills", evidence.oom_kills},
          {"session_state", or_null(evidence.session_state)},
          {"rollback", rollback_json(evidence)},
          {"fallback", evidence.fallback ? or_null(evidence.fallback->snapshot) : InfoJson(nullptr)},
          {"late_interrupts", evidence.late_interrupts},
          {"awaited", evidence.awaited},
          {"blocking_calls", evidence.blocking_calls},
          {"retry", evidence.retry},
          {"stack", lines_of(evidence.stack.value)},
          {"stack_missing", or_null(evidence.stack_missing)},
          {"last_output", replace_invalid_utf8(evidence.last_output.value)}};
}

// Of a run whose manager was killed nobody knows.
InfoJson usage_json(const Note& note, const Usage& usage) {
  if (!note_has_end(note)) {
    return {{"cpu_user_s", nullptr},
            {"cpu_system_s", nullptr},
            {"cpu_percent", nullptr},
            {"minor_faults", nullptr},
            {"major_faults", nullptr}};
  }
  const double cpu_s = in_seconds(usage.cpu_user_us + usage.cpu_system_us);
  return {{"cpu_user_s", in_seconds(usage.cpu_user_us)},
          {"cpu_system_s", in_seconds(usage.cpu_system_us)},
          {"cpu_percent", usage.wall_us == 0 ? 0.0 : cpu_s / in_seconds(usage.wall_us) * 100},
          {"minor_faults", usage.minor_faults},
          {"major_faults", usage.major_faults}};
}

bool is_text(std::string_view mime) {
  return mime.starts_with("text/") || mime.ends_with("+xml") || mime.ends_with("json");
}

InfoJson bundle_json(const Bundle& bundle) {
  InfoJson out = InfoJson::object();
  for (const auto& [mime, data] : bundle) {
    const bool plain = is_text(mime) && is_valid_utf8(data.value);
    out[mime] = plain ? data.value : base64_text(data.value);
  }
  return out;
}

}  // namespace

InfoJson accepted_info(const Note& note, const RecordHost& host) {
  InfoJson info;
  info["v"] = 1;
  info["run_id"] = note_text(note, "run_id");
  info["state"] = "accepted";
  info["verdict"] = nullptr;
  info["exit_status"] = nullptr;
  info["uid"] = note_number(note, "uid");
  info["client"] = note_number(note, "client");
  info["session"] = nullptr;
  info["profile"] = note_text(note, "profile");
  info["mode"] = nullptr;
  info["filename"] = nullptr;
  info["request_id"] = or_null(note_text(note, "request_id"));
  info["trace_id"] = or_null(note_text(note, "trace_id"));
  info["span_id"] = or_null(note_text(note, "span_id"));
  info["parent_span_id"] = or_null(note_text(note, "parent_span_id"));
  info["created_at"] = utc_or_null(note_number(note, "created_ms"));
  info["started_at"] = nullptr;
  info["finished_at"] = nullptr;
  info["queue_s"] = nullptr;
  info["execution_s"] = nullptr;
  info["total_s"] = nullptr;
  info["worker_pid"] = nullptr;
  info["lease"] = nullptr;
  info["code"] = {{"bytes", note_number(note, "code_bytes")}, {"sha256", note_text(note, "code_sha256")}};
  info["limits"] = limits_of(note);
  info["recorded"] = note_text(note, "recorded");
  info["layers"] = layers_of(note_text(note, "layers"));
  info["host"] = host.name;
  info["python"] = or_null(note_text(note, "python"));
  info["directory"] = host.directory + "/" + std::string(note_text(note, "run_id"));
  info["files"] = InfoJson::object();
  info["slow_stack"] = nullptr;
  return info;
}

void add_execute(InfoJson& info, const Execute& execute) {
  info["session"] = or_null(execute.session);
  info["mode"] = execute.mode;
  info["filename"] = or_null(replace_invalid_utf8(execute.filename));
  if (!execute.arguments.empty()) info["arguments"] = execute.arguments;
  if (execute.code.value.empty()) return;
  info["files"]["code"] = run_file::kCode;
  if (info["code"]["sha256"] != "") return;
  Sha256 hash;
  hash.add(execute.code.value);
  info["code"]["sha256"] = hex_text(hash.finish());
}

void add_started(InfoJson& info, const Note& note) {
  info["state"] = "running";
  info["started_at"] = utc_or_null(note_number(note, "started_ms"));
  info["queue_s"] = in_seconds(note_number(note, "queue_us"));
  info["worker_pid"] = note_number(note, "worker_pid");
  info["lease"] = or_null(note_text(note, "lease"));
}

void add_slow(InfoJson& info, const Note& note) {
  info["slow_stack"] = {{"at", utc_or_null(note_number(note, "at_ms"))},
                        {"after_s", in_seconds(note_number(note, "after_us"))},
                        {"stack", InfoJson::array()},
                        {"missing", or_null(note_text(note, "missing"))}};
}

void add_slow_stack(InfoJson& info, const Stack& stack) {
  if (info["slow_stack"].is_object()) info["slow_stack"]["stack"] = lines_of(stack.text.value);
}

bool note_has_end(const Note& note) { return note.contains("total_us"); }

void add_finished(InfoJson& info, const Note& note, const Finished& finished) {
  if (note_number(note, "started_ms") != 0) add_started(info, note);
  info["state"] = "finished";
  info["verdict"] = to_string(finished.verdict);
  info["exit_status"] = finished.exit_status;
  info["finished_at"] = utc_or_null(note_number(note, "finished_ms"));
  const Usage& usage = finished.usage;
  info["queue_s"] = in_seconds(usage.queue_us);
  if (note_has_end(note)) {
    if (!info["started_at"].is_null()) info["execution_s"] = in_seconds(usage.wall_us);
    info["total_s"] = in_seconds(note_number(note, "total_us"));
  }
  info["usage"] = usage_json(note, usage);
  info["memory"] = {{"start_bytes", number_or_null(note, "memory_start_bytes")},
                    {"peak_bytes", note_has_end(note) ? InfoJson(usage.peak_memory_bytes) : InfoJson(nullptr)},
                    {"end_bytes", number_or_null(note, "memory_end_bytes")}};
  info["threads"] = number_or_null(note, "threads");
  const OutputCount& output = finished.evidence.output;
  info["output"] = {{"stdout_bytes", output.stdout_bytes},
                    {"stderr_bytes", output.stderr_bytes},
                    {"dropped_bytes", output.dropped_bytes},
                    {"stdout_unrecorded_bytes", note_number(note, "stdout_unrecorded_bytes")},
                    {"stderr_unrecorded_bytes", note_number(note, "stderr_unrecorded_bytes")},
                    {"results_unrecorded", note_number(note, "results_unrecorded")}};
  if (finished.error) {
    info["error"] = {{"name", or_null(replace_invalid_utf8(finished.error->name))},
                     {"value", replace_invalid_utf8(finished.error->value)},
                     {"traceback", finished.error->traceback}};
  } else {
    info["error"] = nullptr;
  }
  info["evidence"] = evidence_json(finished.evidence);
  if (note.contains("layers")) info["layers"] = layers_of(note_text(note, "layers"));
}

std::string layers_text_of(const InfoJson& info) {
  std::string text;
  const auto layers = info.find("layers");
  if (layers == info.end() || !layers->is_object()) return text;
  for (const auto& [name, state] : layers->items()) {
    if (state.is_string()) text += (text.empty() ? "" : " ") + name + "=" + state.get<std::string>();
  }
  return text;
}

InfoJson row_of_info(const InfoJson& info) {
  const auto value = [&](std::string_view key) -> InfoJson {
    const auto found = info.find(key);
    return found == info.end() ? InfoJson(nullptr) : *found;
  };
  const InfoJson output = value("output");
  const auto count = [&](const char* key) -> InfoJson { return output.is_object() ? output.value(key, 0) : 0; };
  return {{"run_id", value("run_id")},
          {"state", value("state")},
          {"verdict", value("verdict")},
          {"session", value("session")},
          {"profile", value("profile")},
          {"uid", value("uid")},
          {"filename", value("filename")},
          {"request_id", value("request_id")},
          {"trace_id", value("trace_id")},
          {"created_at", value("created_at")},
          {"finished_at", value("finished_at")},
          {"queued_s", value("queue_s")},
          {"running_s", value("execution_s")},
          {"stdout_bytes", count("stdout_bytes")},
          {"stderr_bytes", count("stderr_bytes")},
          {"dropped_bytes", count("dropped_bytes")},
          {"worker_pid", value("worker_pid")}};
}

InfoJson result_json(const Display& display) {
  InfoJson json = {{"kind", "display"}, {"data", bundle_json(display.data)}};
  if (!display.display_id.empty()) json["display_id"] = display.display_id;
  if (display.update) json["update"] = true;
  return json;
}

InfoJson result_json(const ResultValue& result) {
  return {{"kind", "result"}, {"execution_count", result.execution_count}, {"data", bundle_json(result.data)}};
}

std::string dump_json(const InfoJson& json) { return json.dump(-1, ' ', false, InfoJson::error_handler_t::replace); }

}  // namespace capsule
