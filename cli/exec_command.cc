#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/run_to_end.h"

namespace capsule::cli {

int exec_command(const Invocation& invocation) {
  CLI::App app("Runs code in a session; names it defines are there for the next one.", "capsule exec");
  app.footer(
      "Examples:\n"
      "  s=$(capsule session new)\n"
      "  capsule exec $s -c 'import math; r = 2'\n"
      "  capsule exec $s -c 'math.pi * r ** 2'          prints the value\n"
      "  capsule exec $s setup.py --timeout 30\n"
      "  echo 'print(r)' | capsule exec $s -\n\n"
      "A session runs one thing at a time, in order of arrival. Ctrl-C cancels the run and keeps the session.");
  RunOptions options;
  options.socket = invocation.socket;
  options.program_arguments = invocation.program_arguments;
  add_exec_options(app, options);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  if (options.session.empty()) return usage_error(app, "the session's id is empty");
  if (const auto status = check_run_options(options); !status) return usage_error(app, status.error().message);
  return run_to_end(options, WhenNobodyListens::kFail);
}

}  // namespace capsule::cli
