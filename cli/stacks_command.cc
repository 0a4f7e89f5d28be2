#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/document_request.h"
#include "cli/render_info.h"

namespace capsule::cli {

int stacks_command(const Invocation& invocation) {
  CLI::App app(
      "Shows where a running program is: the Python stacks of its threads, the innermost call first. The program goes "
      "on; what a thread does at that very moment can make its part wrong.",
      "capsule stacks");
  app.footer(
      "Examples:\n"
      "  capsule ps\n"
      "  capsule stacks 0190a5c2-8e1b-7c3d-9f00-3b6a1f2e4d5c");
  CommonOptions common{.socket = invocation.socket};
  Stack request;
  app.add_option("RUN", request.run_id, "Id of a run")->required();
  add_common_options(app, common);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  Result<Client> client = connect_to_manager(common.socket, WhenNobodyListens::kFail);
  if (!client) return report(client.error(), common.format);
  const auto document = request_document(*client, request);
  if (!document) return report(document.error(), common.format);
  if (common.format == Format::kJson) return print(*document);
  const auto rendered = render_stack(*document);
  return rendered ? print(*rendered) : report(rendered.error(), common.format);
}

}  // namespace capsule::cli
