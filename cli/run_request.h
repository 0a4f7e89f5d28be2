// The options of `run` and `exec`, and the `execute` message they become.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/text_view.h"
#include "protocol/message.h"

namespace CLI {
class App;
}

namespace capsule::cli {

enum class ShowResult { kAuto, kAlways, kNever };
enum class RunFormat { kText, kDocument, kEvents };
enum class StandardInput { kDefault, kForward, kNone };

struct RunOptions {
  std::string socket;
  std::string session;              // exec only
  std::optional<std::string> code;  // -c
  std::string file;                 // a path, or "-"; empty: not given
  std::vector<std::string> program_arguments;
  std::string profile;
  uint64_t timeout_ms = 0;                            // 0: the profile's
  uint64_t output_bytes = 0;                          // 0: the profile's
  std::string output_policy;                          // empty: the profile's
  uint64_t cpu_ms = 0;                                // 0: the session's or the profile's
  uint64_t memory_bytes = 0;                          // 0: the session's or the profile's
  uint64_t processes = 0, open_files = 0;             // the same
  uint64_t workspace_bytes = 0, workspace_files = 0;  // the same
  std::vector<std::string> require;
  std::string rollback;     // exec only; empty: the session's
  std::string request_id;   // empty: the manager makes one
  std::string traceparent;  // empty: a trace begins with the run
  StandardInput standard_input = StandardInput::kDefault;
  RunFormat format = RunFormat::kText;
  ShowResult show_result = ShowResult::kAuto;
  ControlCharacters control_characters = ControlCharacters::kAuto;
  std::string display_dir;
  std::vector<std::string> files;  // LOCAL or LOCAL=INSIDE
  std::string artifacts_dir;
};

// Declares the options on a command of CLI11; parsing fills `into`.
void add_exec_options(CLI::App& app, RunOptions& into);

// Exactly one of -c, FILE and "-" was given, and the arguments can be sent.
Status check_run_options(const RunOptions& options);

// The message without its code. Pure.
Execute execute_from(const RunOptions& options);

// Reads the code from where the options say; at most limits::kCodeBytes. `stdin_fd` for "-".
Result<std::string> read_code(const RunOptions& options, int stdin_fd);

// Whether the last value's text goes to stdout.
ResultText result_text_for(const RunOptions& options);

}  // namespace capsule::cli
