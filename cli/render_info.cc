#include "cli/render_info.h"

#include <algorithm>

#include "cli/document_fields.h"
#include "cli/table.h"

namespace capsule::cli {
namespace {

constexpr size_t kIndent = 2;

// "title", the table below it, or "(none)"; an empty line after it.
std::string section(const std::string& title, const Table& table) {
  return title + "\n" + (table.empty() ? "  (none)\n" : table.text(kIndent)) + "\n";
}

std::string manager_text(const Json& manager) {
  Table table({{"capsule-manager " + text_field(manager, "version")}, {text_field(manager, "state")}});
  table.add_row({"pid", text_field(manager, "pid")});
  table.add_row({"socket", text_field(manager, "socket")});
  table.add_row({"http", text_field(manager, "http")});
  table.add_row({"up", seconds_field(manager, "uptime_s") + " since " + text_field(manager, "started_at")});
  table.add_row({"memory", bytes_field(manager, "rss_bytes")});
  table.add_row({"profile", text_field(manager, "default_profile")});
  table.add_row({"config", text_field(manager, "config_file")});
  table.add_row({"private", text_field(manager, "private")});
  for (const Json& reason : list(manager, "degraded")) {
    table.add_row({"degraded", reason.is_string() ? reason.get<std::string>()
                                                  : reason.dump(-1, ' ', false, Json::error_handler_t::replace)});
  }
  return table.text(0) + "\n";
}

// Most layers are the same for every profile: one line for each, with the profiles that have it so.
std::string layers_text(const Json& pools) {
  struct Row {
    std::string profiles, name, state, detail;
  };
  std::vector<Row> rows;
  for (const Json& pool : pools) {
    const std::string profile = text_field(pool, "profile");
    for (const Json& layer : list(pool, "layers")) {
      Row row{profile, text_field(layer, "name"), text_field(layer, "state"), text_field(layer, "detail")};
      const auto same = std::find_if(rows.begin(), rows.end(), [&](const Row& other) {
        return other.name == row.name && other.state == row.state && other.detail == row.detail;
      });
      if (same == rows.end()) {
        rows.push_back(std::move(row));
      } else {
        same->profiles += " " + profile;
      }
    }
  }
  Table table({{"LAYER"}, {"STATE"}, {"PROFILES"}, {"DETAIL", Align::kLeft, kSentenceBytes}});
  for (Row& row : rows) table.add_row({row.name, row.state, row.profiles, row.detail});
  return table.empty() ? "" : table.text(kIndent) + "\n";
}

std::string pool_details(const Json& pools) {
  Table details({{"PROFILE"}, {"WHAT IS THE MATTER", Align::kLeft, kSentenceBytes}});
  Table recycles({{"PROFILE"}, {"RECYCLED BECAUSE"}, {"TIMES", Align::kRight}});
  for (const Json& pool : pools) {
    const std::string profile = text_field(pool, "profile");
    const std::string detail = text_field(pool, "detail");
    if (detail != "-") details.add_row({profile, detail});
    const Json& reasons = field(pool, "recycles");
    if (!reasons.is_object()) continue;
    for (const auto& [reason, times] : reasons.items()) {
      if (times != 0) recycles.add_row({profile, reason, times.dump(-1, ' ', false, Json::error_handler_t::replace)});
    }
  }
  std::string out;
  if (!details.empty()) out += details.text(kIndent) + "\n";
  if (!recycles.empty()) out += recycles.text(kIndent) + "\n";
  return out + layers_text(pools);
}

std::string pools_text(const Json& pools) {
  Table table({{"PROFILE"},
               {"STATE"},
               {"IDLE", Align::kRight},
               {"LEASED", Align::kRight},
               {"STARTING", Align::kRight},
               {"WARM", Align::kRight},
               {"MAX", Align::kRight},
               {"CAPSULES", Align::kRight},
               {"WAITING", Align::kRight},
               {"HITS", Align::kRight},
               {"MISSES", Align::kRight},
               {"RATIO", Align::kRight},
               {"MEAN MS", Align::kRight},
               {"BREAKER"}});
  for (const Json& pool : pools) {
    const Json& workers = field(pool, "workers");
    table.add_row({text_field(pool, "profile"), text_field(pool, "state"), text_field(workers, "idle"),
                   text_field(workers, "leased"), text_field(workers, "starting"), text_field(pool, "warm_target"),
                   text_field(pool, "max"), text_field(field(pool, "capsules"), "ready"), text_field(pool, "waiting"),
                   text_field(pool, "hits"), text_field(pool, "misses"), decimal_field(pool, "hit_ratio"),
                   decimal_field(pool, "acquire_mean_ms"), text_field(field(pool, "breaker"), "state")});
  }
  return section("pools", table) + pool_details(pools);
}

std::string workers_text(const Json& workers) {
  Table table({{"WORKER"},
               {"PROFILE"},
               {"PID", Align::kRight},
               {"STATE"},
               {"HEALTH"},
               {"SESSION"},
               {"RUN"},
               {"AGE", Align::kRight},
               {"MEMORY", Align::kRight},
               {"CPU %", Align::kRight},
               {"THREADS", Align::kRight},
               {"NAMES", Align::kRight},
               {"HEARD", Align::kRight}});
  for (const Json& worker : workers) {
    table.add_row({text_field(worker, "id"), text_field(worker, "profile"), text_field(worker, "pid"),
                   text_field(worker, "state"), text_field(worker, "health"), text_field(worker, "session"),
                   text_field(worker, "run_id"), seconds_field(worker, "age_s"), bytes_field(worker, "rss_bytes"),
                   decimal_field(worker, "cpu_percent"), text_field(worker, "threads"),
                   text_field(worker, "namespace_names"), seconds_field(worker, "heartbeat_age_s")});
  }
  return section("workers", table);
}

Table sessions_table(const Json& sessions) {
  Table table({{"SESSION"},
               {"PROFILE"},
               {"STATE"},
               {"RUNS", Align::kRight},
               {"QUEUED", Align::kRight},
               {"IDLE", Align::kRight},
               {"CLOSES IN", Align::kRight},
               {"PID", Align::kRight},
               {"MEMORY", Align::kRight},
               {"SNAPSHOTS", Align::kRight},
               {"CHECKPOINTS", Align::kRight},
               {"RUNS AT RISK", Align::kRight}});
  for (const Json& session : sessions) {
    table.add_row({text_field(session, "session"), text_field(session, "profile"), text_field(session, "state"),
                   text_field(session, "runs"), text_field(session, "queued"), seconds_field(session, "idle_s"),
                   seconds_field(session, "closes_in_s"), text_field(session, "worker_pid"),
                   bytes_field(session, "rss_bytes"), text_field(session, "snapshots"),
                   text_field(session, "checkpoints"), text_field(session, "runs_at_risk")});
  }
  return table;
}

std::string sessions_text(const Json& sessions) {
  std::string out = section("sessions", sessions_table(sessions));
  Table late({{"SESSION"}, {"LATE OUTPUT", Align::kRight}, {"ITS END"}});
  for (const Json& session : sessions) {
    if (count_field(session, "late_output_bytes") == 0) continue;
    late.add_row({text_field(session, "session"), bytes_field(session, "late_output_bytes"),
                  text_field(session, "late_output_tail")});
  }
  return late.empty() ? out : out + late.text(kIndent) + "\n";
}

bool is_active(const Json& run) { return text_field(run, "state") != "finished"; }

Table runs_table(const Json& runs, RunFilter filter) {
  Table table({{"RUN"},
               {"STATE"},
               {"VERDICT"},
               {"SESSION"},
               {"PROFILE"},
               {"FILE"},
               {"QUEUED", Align::kRight},
               {"RUNNING", Align::kRight},
               {"STDOUT", Align::kRight},
               {"STDERR", Align::kRight},
               {"PID", Align::kRight}});
  for (const Json& run : runs) {
    if (filter == RunFilter::kActive && !is_active(run)) continue;
    table.add_row({text_field(run, "run_id"), text_field(run, "state"), text_field(run, "verdict"),
                   text_field(run, "session"), text_field(run, "profile"), text_field(run, "filename"),
                   seconds_field(run, "queued_s"), seconds_field(run, "running_s"), bytes_field(run, "stdout_bytes"),
                   bytes_field(run, "stderr_bytes"), text_field(run, "worker_pid")});
  }
  return table;
}

std::string queue_text(const Json& queue) {
  Table table({{"DEPTH", Align::kRight},
               {"CAPACITY", Align::kRight},
               {"RUNNING", Align::kRight},
               {"MAX", Align::kRight},
               {"OLDEST WAIT", Align::kRight},
               {"REJECTED", Align::kRight}});
  table.add_row({text_field(queue, "depth"), text_field(queue, "capacity"), text_field(queue, "running"),
                 text_field(queue, "max_running"), seconds_field(queue, "oldest_wait_s"),
                 text_field(queue, "rejected")});
  Table clients({{"CLIENT"}, {"QUEUED", Align::kRight}});
  for (const Json& client : list(queue, "by_client")) {
    clients.add_row({text_field(client, "client"), text_field(client, "queued")});
  }
  return section("queue", table) + (clients.empty() ? "" : clients.text(kIndent) + "\n");
}

std::string limits_text(const Json& limits) {
  Table table({{"LIMIT"},
               {"VALUE", Align::kRight},
               {"UNIT"},
               {"DEFAULT", Align::kRight},
               {"MIN", Align::kRight},
               {"MAX", Align::kRight},
               {"MEANING", Align::kLeft, kSentenceBytes}});
  for (const Json& limit : limits) {
    table.add_row({text_field(limit, "name"), text_field(limit, "value"), text_field(limit, "unit"),
                   text_field(limit, "default"), text_field(limit, "min"), text_field(limit, "max"),
                   text_field(limit, "description")});
  }
  return section("limits", table);
}

// What `doctor` finds out, now or when the manager started.
std::string findings_text(const Json& findings) {
  Table table({{"LAYER"}, {"STATE"}, {"PROOF OR REASON", Align::kLeft, kSentenceBytes}});
  std::string fixes;
  for (const Json& layer : list(findings, "layers")) {
    const bool on = text_field(layer, "state") == "on";
    const std::string name = text_field(layer, "name");
    table.add_row({name, text_field(layer, "state"), text_field(layer, on ? "proof" : "reason")});
    if (!on) fixes += "  " + name + ": " + text_field(layer, "fix") + "\n";
  }
  std::string out = section("layers", table) + "floor " + text_field(findings, "floor") +
                    ", met: " + text_field(findings, "met") + "; best here: " + text_field(findings, "best") + "\n";
  if (!fixes.empty()) out += "\nto mend\n" + fixes;
  return out + "\n";
}

}  // namespace

Result<std::string> render_doctor(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  std::string out = findings_text(*document);
  out.pop_back();
  return out;
}

Result<std::string> render_info(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  std::string out;
  const auto add = [&](std::string_view name, const auto& render) {
    const Json& part = field(*document, name);
    if (!part.is_null()) out += render(part);
  };
  add("manager", manager_text);
  add("pools", pools_text);
  add("workers", workers_text);
  add("sessions", sessions_text);
  add("runs", [](const Json& runs) { return section("runs", runs_table(runs, RunFilter::kAll)); });
  add("queue", queue_text);
  add("limits", limits_text);
  add("layers", findings_text);
  if (out.ends_with("\n\n")) out.pop_back();
  return out;
}

Result<std::string> render_sessions(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  return sessions_table(list(*document, "sessions")).text(0);
}

Result<std::string> render_runs(std::string_view json, RunFilter filter) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  return runs_table(list(*document, "runs"), filter).text(0);
}

Result<std::string> runs_document(std::string_view json, RunFilter filter) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  Json runs = Json::array();
  for (const Json& run : list(*document, "runs")) {
    if (filter == RunFilter::kAll || is_active(run)) runs.push_back(run);
  }
  return dump_line({{"v", 1}, {"runs", std::move(runs)}});
}

Result<std::string> session_id_text(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  const Json& session = field(*document, "session");
  if (!session.is_string()) return failure(Errc::kInvalid, "the manager's answer names no session");
  return session.get<std::string>() + "\n";
}

}  // namespace capsule::cli
