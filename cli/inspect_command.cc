#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/document_request.h"
#include "cli/render_info.h"

namespace capsule::cli {
namespace {

using Render = Result<std::string> (*)(std::string_view json);

struct Found {
  Result<std::string> document;
  Render render;
};

// A name can be a run's or a session's; a run's record comes first.
Found find(Client& client, const std::string& name) {
  RecordRequest record;
  record.operation = "show";
  record.run_id = name;
  auto run = request_document(client, record);
  if (run || run.error().code == Errc::kClosed) return {std::move(run), render_record};
  Inspect inspect;
  inspect.session = name;
  auto session = request_document(client, inspect);
  const bool is_neither = !session && session.error().code == Errc::kNotFound;
  if (is_neither) return {std::move(run), render_record};
  return {std::move(session), render_session};
}

}  // namespace

int inspect_command(const Invocation& invocation) {
  CLI::App app(
      "Shows all that is known of a run: how it was started, how it ended and why, what it used. Or of a session: the "
      "names in it with types and sizes, never values, what waits for it, its snapshots, where it comes from.",
      "capsule inspect");
  app.footer(
      "Examples:\n"
      "  capsule ps --all\n"
      "  capsule inspect 0190a5c2-8e1b-7c3d-9f00-3b6a1f2e4d5c\n"
      "  capsule inspect --json RUN | jq .evidence\n"
      "  capsule inspect --json SESSION | jq '.namespace.list[:10]'    the ten largest");
  CommonOptions common{.socket = invocation.socket};
  std::string name;
  app.add_option("RUN|SESSION", name, "Id of a run, or name of a session")->required();
  add_common_options(app, common);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  Result<Client> client = connect_to_manager(common.socket, WhenNobodyListens::kFail);
  if (!client) return report(client.error(), common.format);
  const Found found = find(*client, name);
  if (!found.document) return report(found.document.error(), common.format);
  if (common.format == Format::kJson) return print(*found.document);
  const auto rendered = found.render(*found.document);
  return rendered ? print(*rendered) : report(rendered.error(), common.format);
}

}  // namespace capsule::cli
