#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/branches_run.h"
#include "cli/command.h"
#include "cli/run_to_end.h"

namespace capsule::cli {

int run_command(const Invocation& invocation) {
  CLI::App app("Runs a program in a fresh sandbox and passes its output and exit status on.", "capsule run");
  app.footer(
      "Examples:\n"
      "  capsule run analysis.py -- --input data.csv    arguments of the program go after --\n"
      "  capsule run -c 'import sys; print(sys.stdin.read())' < notes.txt\n"
      "  generate | capsule run - --timeout 5           the code comes on standard input\n"
      "  capsule run plot.py --display-dir plots        save the pictures\n"
      "  capsule run --json -c '1/0' | jq .error.name\n"
      "  capsule run --branches 3 --session lab a.py b.py c.py    three tries from one state; keep one\n\n"
      "Exit status: the program's own; of branches 0 when at least one ended well, else the status of the first.\n"
      "Ctrl-C cancels the run; a second one leaves without waiting for its end.\n"
      "When no manager listens, a private one is started.");
  BranchesOptions options;
  options.run.socket = invocation.socket;
  options.run.program_arguments = invocation.program_arguments;
  add_run_options(app, options);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  if (!options.files.empty()) options.run.file = options.files.front();
  if (const auto status = check_run_options(options.run); !status) return usage_error(app, status.error().message);
  if (const auto status = check_branches(options); !status) return usage_error(app, status.error().message);
  return options.count > 0 ? run_branches(options) : run_to_end(options.run, WhenNobodyListens::kStartPrivate);
}

}  // namespace capsule::cli
