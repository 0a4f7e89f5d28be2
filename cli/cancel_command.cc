#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/exit_code.h"
#include "cli/run_json.h"

namespace capsule::cli {

int cancel_command(const Invocation& invocation) {
  CLI::App app("Stops runs: interrupts first, then kills. Returns when the manager has taken the request.",
               "capsule cancel");
  app.footer(
      "Examples:\n"
      "  capsule ps\n"
      "  capsule cancel 0190a5c2-8e1b-7c3d-9f00-3b6a1f2e4d5c");
  CommonOptions common{.socket = invocation.socket};
  std::vector<std::string> runs;
  app.add_option("RUN", runs, "Ids of runs")->required();
  add_common_options(app, common);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  Result<Client> client = connect_to_manager(common.socket, WhenNobodyListens::kFail);
  if (!client) return report(client.error(), common.format);
  int exit_status = kExitOk;
  for (const std::string& run : runs) {
    const uint64_t id = client->next_id();
    const Result<Message> answer = client->call(id, Cancel{.id = id, .run_id = run});
    if (!answer) {
      exit_status = report(answer.error(), common.format);
      if (answer.error().code == Errc::kClosed) break;
    } else if (common.format == Format::kJson) {
      const int printed = print(dump_line({{"v", 1}, {"run_id", run}, {"cancelled", true}}));
      if (printed != kExitOk) return printed;
    }
  }
  return exit_status;
}

}  // namespace capsule::cli
