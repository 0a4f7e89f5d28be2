#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/document_request.h"
#include "cli/render_trace.h"

namespace capsule::cli {
namespace {

TraceLook look_of(int fd) {
  TraceLook look;
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) look.columns = size.ws_col;
  look.colour = colour_for(isatty(fd) == 1, std::getenv("NO_COLOR"), std::getenv("TERM"));
  return look;
}

}  // namespace

int trace_command(const Invocation& invocation) {
  CLI::App app("Shows what happened to a run, and when: in the queue, until it had a worker, while it ran, at its end.",
               "capsule trace");
  app.footer(
      "Examples:\n"
      "  capsule trace 0190a5c2-8e1b-7c3d-9f00-3b6a1f2e4d5c\n"
      "  capsule trace --json RUN | jq .spans");
  CommonOptions common{.socket = invocation.socket};
  TraceRequest request;
  app.add_option("RUN", request.run_id, "Id of a run")->required();
  add_common_options(app, common);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  Result<Client> client = connect_to_manager(common.socket, WhenNobodyListens::kFail);
  if (!client) return report(client.error(), common.format);
  const auto document = request_document(*client, request);
  if (!document) return report(document.error(), common.format);
  if (common.format == Format::kJson) return print(*document);
  const auto rendered = render_trace(*document, look_of(STDOUT_FILENO));
  return rendered ? print(*rendered) : report(rendered.error(), common.format);
}

}  // namespace capsule::cli
