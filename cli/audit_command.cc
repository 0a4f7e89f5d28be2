// `audit verify`: checks audit logs. Needs no manager: the file says all there is.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/posix_io.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "protocol/audit_file.h"

namespace capsule::cli {
namespace {

namespace fs = std::filesystem;
constexpr size_t kHeadFileBytes = 256, kKeptFileBytes = 256;
constexpr std::array kLogs{"audit", "decisions"};  // of a directory

struct AuditOptions {
  std::vector<std::string> files;
  std::string head;
  uint64_t first = 0;
  Format format = Format::kText;
};

struct Verdict {
  std::string log;  // of a directory: which one
  Status status;
  uint64_t lines = 0, lines_before = 0;
  AuditHead head;
  bool is_against_head = false;
};

// Of one log. audit-00000000000000000001.jsonl and audit.jsonl: the ones that are full sort before the one being
// written.
std::vector<std::string> files_in(const std::string& directory, const std::string& log) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (name == log + ".jsonl" || (name.starts_with(log + "-") && name.ends_with(".jsonl"))) {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Beside NAME.jsonl the manager keeps NAME.head; files that are full have none.
Result<std::optional<AuditHead>> head_for(const AuditOptions& options) {
  if (!options.head.empty()) return audit_head_from_string(options.head);
  const fs::path beside = fs::path(options.files.back()).replace_extension(".head");
  std::error_code error;
  if (!fs::exists(beside, error)) return std::nullopt;
  auto text = read_regular_file(beside.string(), kHeadFileBytes);
  if (!text) return tl::unexpected<Error>(text.error());
  while (text->ends_with('\n')) text->pop_back();
  const auto head = audit_head_from_string(*text);
  if (head) return *head;
  return failure(Errc::kInvalid, beside.string() + " is damaged (" + head.error().message +
                                     "): give a head that was kept elsewhere with --head, or move it away to check "
                                     "the log without one");
}

// What a manager found and said when it began a new file; --first with that line is for who knows of it.
Status check_damage(const AuditCheck& check, uint64_t first) {
  const uint64_t at = check.damage_said();
  if (at == 0 || at == first) return {};
  return failure(Errc::kInvalid, "line " + std::to_string(at) +
                                     " of the log says that lines before it were changed or taken away (see "
                                     "*.damaged-*.jsonl; --first " +
                                     std::to_string(at) + " checks from there on)");
}

Verdict verify(const std::vector<std::string>& files, const std::optional<AuditHead>& head, uint64_t first) {
  AuditCheck check(head, first);
  Verdict verdict;
  verdict.is_against_head = head.has_value();
  for (const std::string& file : files) {
    const auto end = check_audit_file(file, check);
    if (!end) {
      verdict.status = tl::unexpected<Error>(end.error());
    } else if (end->torn_bytes > 0) {
      verdict.status = failure(Errc::kInvalid, file + " ends in the middle of a line");
    }
    if (!verdict.status) break;
  }
  if (verdict.status) verdict.status = check.end();
  if (verdict.status) verdict.status = check_damage(check, first);
  verdict.lines = check.lines();
  verdict.lines_before = check.lines_before();
  verdict.head = check.head();
  return verdict;
}

nlohmann::ordered_json json_of(const Verdict& verdict) {
  return {{"v", 1},
          {"whole", verdict.status.has_value()},
          {"problem",
           verdict.status ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(verdict.status.error().message)},
          {"lines", verdict.lines},
          {"lines_before", verdict.lines_before},
          {"head", to_string(verdict.head)},
          {"head_was_given", verdict.is_against_head}};
}

// Of a directory: each log, and whether all are whole.
nlohmann::ordered_json json_of(const std::vector<Verdict>& verdicts) {
  nlohmann::ordered_json logs = nlohmann::ordered_json::object();
  bool whole = true;
  for (const Verdict& verdict : verdicts) {
    logs[verdict.log] = json_of(verdict);
    logs[verdict.log].erase("v");
    whole = whole && verdict.status.has_value();
  }
  return {{"v", 1}, {"whole", whole}, {"logs", std::move(logs)}};
}

std::string text_of(const Verdict& verdict) {
  std::string text = verdict.log.empty() ? "" : verdict.log + ": ";
  text += std::to_string(verdict.lines) + " lines, none was changed, removed or moved\n";
  if (verdict.lines_before > 0) {
    text += "the " + std::to_string(verdict.lines_before) + " lines before them are in earlier files\n";
  }
  if (!verdict.is_against_head) {
    text += "there was no head to compare with: what was cut off at the end cannot be seen (--head)\n";
  }
  return text + "head " + to_string(verdict.head) + "\n";
}

// The manager writes the head of a log beside it and removes neither, and which logs it keeps is in `kept`: either
// without the log is one that was taken away.
bool was_taken_away(const std::string& directory, const std::string& log) {
  std::error_code error;
  const fs::path place(directory);
  const std::string kept = read_regular_file((place / "kept").string(), kKeptFileBytes).value_or("");
  const bool is_known = fs::exists(place / (log + ".head"), error) || kept.find(log + "\n") != kept.npos;
  return is_known && !fs::exists(place / (log + ".jsonl"), error);
}

// The logs to check. --head and --first are of the audit log, or of the one that was named.
Result<std::vector<Verdict>> verify_all(AuditOptions options) {
  std::error_code error;
  std::vector<Verdict> verdicts;
  if (options.files.size() != 1 || !fs::is_directory(options.files[0], error)) {
    const auto head = head_for(options);
    if (!head) return tl::unexpected<Error>(head.error());
    verdicts.push_back(verify(options.files, *head, options.first));
    return verdicts;
  }
  const std::string directory = options.files[0];
  for (const char* log : kLogs) {
    AuditOptions of_log = log == kLogs.front() ? options : AuditOptions();
    of_log.files = files_in(directory, log);
    const bool is_expected = !of_log.head.empty() || of_log.first != 0;  // also where its head went with it
    if (was_taken_away(directory, log) || (of_log.files.empty() && is_expected)) {
      Verdict missing;
      missing.log = log;
      missing.status = failure(Errc::kInvalid, std::string(log) + ".jsonl is missing");
      verdicts.push_back(std::move(missing));
      continue;
    }
    if (of_log.files.empty()) continue;
    const auto head = head_for(of_log);
    if (!head) return tl::unexpected<Error>(head.error());
    verdicts.push_back(verify(of_log.files, *head, of_log.first));
    verdicts.back().log = log;
  }
  if (verdicts.empty()) return failure(Errc::kNotFound, "there is no audit log in " + directory);
  return verdicts;
}

int verify_command(const AuditOptions& options) {
  const auto verdicts = verify_all(options);
  if (!verdicts) return report(verdicts.error(), options.format);
  bool whole = true;
  for (const Verdict& verdict : *verdicts) {
    if (verdict.status) continue;
    if (verdict.status.error().code != Errc::kInvalid) return report(verdict.status.error(), options.format);
    whole = false;
  }
  if (options.format == Format::kJson) {
    const bool is_directory = !verdicts->front().log.empty();
    const nlohmann::ordered_json document = is_directory ? json_of(*verdicts) : json_of(verdicts->front());
    const int printed = print(document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    return printed != kExitOk ? printed : whole ? kExitOk : kExitFailed;
  }
  int printed = kExitOk;
  for (const Verdict& verdict : *verdicts) {
    if (!verdict.status) {
      (void)report(verdict.status.error(), options.format);
    } else if (printed == kExitOk) {
      printed = print(text_of(verdict));
    }
  }
  return whole ? printed : kExitFailed;
}

}  // namespace

int audit_command(const Invocation& invocation) {
  CLI::App app("Checks that an audit log is as the manager wrote it.", "capsule audit");
  app.require_subcommand(1);
  AuditOptions options;
  auto* verify = app.add_subcommand("verify", "Find lines that were changed, removed, moved or cut off");
  verify->add_option("FILE", options.files, "Files of one log, in order; or the directory of both")->required();
  verify
      ->add_option("--head", options.head,
                   "What `capsule info manager` or the manager's last words showed; of a directory: of audit.jsonl")
      ->option_text("N:DIGEST");
  add_whole_number(*verify, "--first", options.first,
                   "The first line that has to be there; 1: none may be in earlier files");
  verify->add_flag_callback(
      "--json", [&options] { options.format = Format::kJson; }, "One JSON document");
  app.footer(
      "Without --head the file NAME.head beside NAME.jsonl is used; whoever can change the log can change that, too.\n"
      "Exit status: 0 the log is whole, 1 it is not, 125 it cannot be read.\n\n"
      "Examples:\n"
      "  capsule audit verify ~/.local/state/capsule/audit\n"
      "  capsule audit verify audit.jsonl --head $(capsule info manager --json | jq -r "
      ".manager.audit.logs.audit.head)");
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  return verify_command(options);
}

}  // namespace capsule::cli
