// `audit verify`: checks audit logs. Needs no manager: the file says all there is.
#include <CLI/CLI.hpp>
#include <algorithm>
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
constexpr size_t kHeadFileBytes = 256;

struct AuditOptions {
  std::vector<std::string> files;
  std::string head;
  uint64_t first = 0;
  Format format = Format::kText;
};

struct Verdict {
  Status status;
  uint64_t lines = 0, lines_before = 0;
  AuditHead head;
  bool is_against_head = false;
};

// audit-00000000000000000001.jsonl and audit.jsonl: the ones that are full sort before the one being written.
std::vector<std::string> files_in(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (name == "audit.jsonl" || (name.starts_with("audit-") && name.ends_with(".jsonl"))) {
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
  auto text = read_file(beside.string(), kHeadFileBytes);
  if (!text) return tl::unexpected<Error>(text.error());
  while (text->ends_with('\n')) text->pop_back();
  return audit_head_from_string(*text);
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
  verdict.lines = check.lines();
  verdict.lines_before = check.lines_before();
  verdict.head = check.head();
  return verdict;
}

std::string json_of(const Verdict& verdict) {
  const nlohmann::ordered_json document = {
      {"v", 1},
      {"whole", verdict.status.has_value()},
      {"problem",
       verdict.status ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(verdict.status.error().message)},
      {"lines", verdict.lines},
      {"lines_before", verdict.lines_before},
      {"head", to_string(verdict.head)},
      {"head_was_given", verdict.is_against_head}};
  return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string text_of(const Verdict& verdict) {
  std::string text = std::to_string(verdict.lines) + " lines, none was changed, removed or moved\n";
  if (verdict.lines_before > 0) {
    text += "the " + std::to_string(verdict.lines_before) + " lines before them are in earlier files\n";
  }
  if (!verdict.is_against_head) {
    text += "there was no head to compare with: what was cut off at the end cannot be seen (--head)\n";
  }
  return text + "head " + to_string(verdict.head) + "\n";
}

int verify_command(AuditOptions options) {
  std::error_code error;
  if (options.files.size() == 1 && fs::is_directory(options.files[0], error)) {
    const std::string directory = options.files[0];
    options.files = files_in(directory);
    if (options.files.empty()) {
      return report({Errc::kNotFound, "there is no audit log in " + directory}, options.format);
    }
  }
  const auto head = head_for(options);
  if (!head) return report(head.error(), options.format);
  const Verdict verdict = verify(options.files, *head, options.first);
  if (!verdict.status && verdict.status.error().code != Errc::kInvalid) {
    return report(verdict.status.error(), options.format);
  }
  if (options.format == Format::kJson) {
    const int printed = print(json_of(verdict));
    return printed != kExitOk ? printed : verdict.status ? kExitOk : kExitFailed;
  }
  if (verdict.status) return print(text_of(verdict));
  (void)report(verdict.status.error(), options.format);
  return kExitFailed;
}

}  // namespace

int audit_command(const Invocation& invocation) {
  CLI::App app("Checks that an audit log is as the manager wrote it.", "capsule audit");
  app.require_subcommand(1);
  AuditOptions options;
  auto* verify = app.add_subcommand("verify", "Find lines that were changed, removed, moved or cut off");
  verify->add_option("FILE", options.files, "Files of one log, in order; or the directory of the log")->required();
  verify->add_option("--head", options.head, "What `capsule info manager` or the manager's last words showed")
      ->option_text("N:DIGEST");
  verify->add_option("--first", options.first, "The first line that has to be there; 1: none may be in earlier files")
      ->option_text("N");
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
  return verify_command(std::move(options));
}

}  // namespace capsule::cli
