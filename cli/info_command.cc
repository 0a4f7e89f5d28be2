// `info` and `ps`: the manager's documents, as JSON or as tables.
#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/document_request.h"
#include "cli/render_info.h"

namespace capsule::cli {
namespace {

Result<std::string> fetch(const CommonOptions& common, std::vector<std::string> sections) {
  Result<Client> client = connect_to_manager(common.socket, WhenNobodyListens::kFail);
  if (!client) return tl::unexpected(client.error());
  return request_document(*client, InfoRequest{.id = 0, .sections = std::move(sections)});
}

// From the records; where there are none, as far as the manager remembers.
Result<std::string> fetch_all_runs(const CommonOptions& common) {
  Result<Client> client = connect_to_manager(common.socket, WhenNobodyListens::kFail);
  if (!client) return tl::unexpected(client.error());
  RecordRequest request;
  request.operation = "ls";
  auto recorded = request_document(*client, request);
  if (recorded || recorded.error().code != Errc::kUnavailable) return recorded;
  return request_document(*client, InfoRequest{.id = 0, .sections = {"runs"}});
}

int show(const Result<std::string>& rendered, Format format) {
  return rendered ? print(*rendered) : report(rendered.error(), format);
}

}  // namespace

int info_command(const Invocation& invocation) {
  CLI::App app("Shows the manager's state.", "capsule info");
  app.footer(
      "Examples:\n"
      "  capsule info\n"
      "  capsule info pools queue\n"
      "  capsule info --json | jq '.pools[] | {profile, hit_ratio}'");
  CommonOptions common{.socket = invocation.socket};
  std::vector<std::string> sections;
  app.add_option("SECTION", sections, "manager, pools, workers, sessions, runs, queue, limits, layers (default: all)")
      ->check(CLI::IsMember({"manager", "pools", "workers", "sessions", "runs", "queue", "limits", "layers"})
                  .description(""))
      ->type_name("");
  add_common_options(app, common);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  const Result<std::string> document = fetch(common, sections);
  if (!document) return report(document.error(), common.format);
  if (common.format == Format::kJson) return print(*document);
  return show(render_info(*document), common.format);
}

int ps_command(const Invocation& invocation) {
  CLI::App app("Lists the runs that wait or are under way.", "capsule ps");
  app.footer(
      "Examples:\n"
      "  capsule ps\n"
      "  capsule ps --all                               finished ones too, as far as there are records\n"
      "  capsule cancel $(capsule ps --json | jq -r '.runs[].run_id')");
  CommonOptions common{.socket = invocation.socket};
  RunFilter filter = RunFilter::kActive;
  app.add_flag_callback(
      "--all", [&filter] { filter = RunFilter::kAll; }, "Finished runs, too");
  add_common_options(app, common);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  const Result<std::string> document = filter == RunFilter::kAll ? fetch_all_runs(common) : fetch(common, {"runs"});
  if (!document) return report(document.error(), common.format);
  if (common.format == Format::kJson) return show(runs_document(*document, filter), common.format);
  return show(render_runs(*document, filter), common.format);
}

}  // namespace capsule::cli
