// `inspect` of a session as text: see render_info.h.
#include "cli/document_fields.h"
#include "cli/render_info.h"
#include "cli/table.h"

namespace capsule::cli {
namespace {

std::string line(std::string name, const std::string& value) {
  name.resize(15, ' ');
  return name + value + "\n";
}

std::string shape_text(const Json& entry) {
  std::string text;
  for (const Json& each : list(entry, "shape")) text += (text.empty() ? "" : " x ") + each.dump();
  if (text.empty()) text = text_field(entry, "length");
  return text;
}

std::string names_text(const Json& names) {
  const Json& kinds = field(names, "kinds");
  std::string out = "\n" + text_field(names, "names") + " names, " + bytes_field(names, "bytes") + ": " +
                    text_field(kinds, "data") + " data, " + text_field(kinds, "function") + " functions, " +
                    text_field(kinds, "class") + " classes, " + text_field(kinds, "module") + " modules\n";
  if (const std::string why = text_field(names, "incomplete"); why != "-") out += "(" + why + ")\n";
  Table table({{"NAME"}, {"KIND"}, {"TYPE"}, {"SIZE", Align::kRight}, {"LENGTH"}, {"ELEMENTS"}});
  for (const Json& each : list(names, "list")) {
    table.add_row({text_field(each, "name"), text_field(each, "kind"), text_field(each, "type"),
                   bytes_field(each, "bytes"), shape_text(each), text_field(each, "dtype")});
  }
  return table.empty() ? out : out + table.text(2);
}

}  // namespace

Result<std::string> render_session(std::string_view json) {
  const Result<Json> parsed = parse_document(json);
  if (!parsed) return tl::unexpected(parsed.error());
  const Json& document = *parsed;
  const Json &worker = field(document, "worker"), &lineage = field(document, "lineage"),
             &limits = field(document, "limits");
  std::string pending, snapshots;
  for (const Json& each : list(document, "pending")) {
    pending += (pending.empty() ? "" : ", ") + text_field(each, "run_id") + " (" + text_field(each, "state") + " for " +
               seconds_field(each, "since_s") + ")";
  }
  for (const Json& each : list(document, "snapshots")) {
    snapshots += (snapshots.empty() ? "" : ", ") + text_field(each, "name") + " (" + seconds_field(each, "age_s") + ")";
  }
  std::string out = line("session", text_field(document, "session"));
  out += line("profile", text_field(document, "profile"));
  out += line("state", text_field(document, "state") + ", " + text_field(document, "runs") + " runs, idle for " +
                           seconds_field(document, "idle_s"));
  out += line("created", text_field(document, "created_at"));
  out += line("worker", "pid " + text_field(worker, "pid") + ", " + bytes_field(worker, "rss_bytes") + ", " +
                            text_field(worker, "threads") + " threads");
  out += line("pending", pending.empty() ? "-" : pending);
  out += line("snapshots", snapshots.empty() ? "-" : snapshots);
  out += line("parent", text_field(lineage, "parent"));
  const std::string forks = joined(list(lineage, "forks"));
  out += line("forks", forks.empty() ? "-" : forks);
  out += line("limits", "wall " + seconds_field(limits, "wall_s") + ", cpu " + seconds_field(limits, "cpu_s") +
                            ", memory " + bytes_field(limits, "memory_bytes") + ", output " +
                            bytes_field(limits, "output_bytes"));
  const Json& names = field(document, "namespace");
  if (names.is_object()) return out + names_text(names);
  return out + line("names", "not told: " + text_field(document, "namespace_missing"));
}

}  // namespace capsule::cli
