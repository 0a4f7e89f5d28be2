// Checkpoints and returns for people; see render_info.h.
#include "cli/document_fields.h"
#include "cli/render_info.h"
#include "cli/table.h"

namespace capsule::cli {
namespace {

std::string reasons_text(const std::string& what, const Json& rows) {
  std::string text;
  for (const Json& each : rows) {
    text += what + ": " + text_field(each, "name") + " (" + text_field(each, "reason") + ")\n";
  }
  return text;
}

}  // namespace

Result<std::string> render_checkpoints(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  Table table({{"NAME"},
               {"KIND"},
               {"AGE", Align::kRight},
               {"PRIVATE", Align::kRight},
               {"SHARED", Align::kRight},
               {"A CRASH GOES BACK TO IT"},
               {"NOT CAPTURED", Align::kLeft, kSentenceBytes}});
  for (const Json& each : list(*document, "checkpoints")) {
    table.add_row({text_field(each, "name"), text_field(each, "kind"), seconds_field(each, "age_s"),
                   bytes_field(each, "private_bytes"), bytes_field(each, "shared_bytes"),
                   text_field(each, "is_fallback"), joined(list(each, "not_captured"))});
  }
  return table.text(0);
}

Result<std::string> render_return(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  const std::string to = text_field(*document, "snapshot");
  std::string out = "back to " + (to == "-" ? "a fresh namespace" : to) +
                    "; runs undone: " + std::to_string(list(*document, "lost_runs").size()) + "\n";
  for (const Json& what : list(*document, "not_captured")) {
    if (what.is_string()) out += "not there any more: " + text_of(what) + "\n";
  }
  return out;
}

Result<std::string> render_saved(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  return text_field(*document, "checkpoint") + ": " + text_field(*document, "names") + " names, " +
         bytes_field(*document, "file_bytes") + " on disk\n" + reasons_text("left out", list(*document, "left_out"));
}

std::string render_not_restored(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return {};
  const Json& restored = field(*document, "restored");
  return reasons_text("not restored", list(restored, "failed")) +
         reasons_text("restored in part", list(restored, "incomplete"));
}

Result<std::string> checkpoint_problem(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  const std::string problem = text_field(*document, "problem");
  return problem == "-" ? "" : problem;
}

Result<std::string> render_stored_checkpoints(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  Table table({{"NAME"},
               {"WRITTEN"},
               {"PYTHON"},
               {"SERIALISED", Align::kRight},
               {"ON DISK", Align::kRight},
               {"PROBLEM", Align::kLeft, kSentenceBytes}});
  for (const Json& each : list(*document, "checkpoints")) {
    table.add_row({text_field(each, "name"), text_field(each, "written_at"), text_field(each, "python"),
                   bytes_field(each, "payload_bytes"), bytes_field(each, "file_bytes"), text_field(each, "problem")});
  }
  return table.text(0);
}

Result<std::string> render_stored_checkpoint(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  const Json& metadata = field(*document, "metadata");
  const Json& said = field(metadata, "namespace");
  std::string out;
  const auto line = [&out](const char* what, const std::string& value) {
    if (value != "-") out += std::string(what) + ": " + value + "\n";
  };
  line("name", text_field(*document, "name"));
  line("written", text_field(*document, "written_at"));
  line("session", text_field(metadata, "session"));
  line("parent", text_field(metadata, "parent"));
  line("notes", text_field(metadata, "notes"));
  line("python", text_field(*document, "python"));
  line("serialised", bytes_field(*document, "payload_bytes"));
  line("on disk", bytes_field(*document, "file_bytes"));
  line("names", text_field(said, "names"));
  line("functions", text_field(said, "functions"));
  line("classes", text_field(said, "classes"));
  const Json& lists = field(said, "lists");
  const std::string modules = joined(list(lists, "modules"));
  line("modules", modules.empty() ? "-" : modules);
  Table names({{"NAME"}, {"TYPE"}, {"SERIALISED", Align::kRight}});
  for (const Json& each : list(lists, "names")) {
    names.add_row({text_field(each, "name"), text_field(each, "type"), bytes_field(each, "bytes")});
  }
  return out + (names.empty() ? "" : "\n" + names.text(0)) + reasons_text("left out", list(lists, "left_out"));
}

}  // namespace capsule::cli
