#include "cli/run_to_end.h"

#include <unistd.h>

#include <memory>
#include <optional>

#include "cli/artifacts.h"
#include "cli/cancel_signals.h"
#include "cli/event_lines.h"
#include "cli/exit_code.h"
#include "cli/final_document.h"
#include "cli/report.h"
#include "cli/run_stream.h"

namespace capsule::cli {
namespace {

Format error_format(const RunOptions& options) {
  return options.format == RunFormat::kText ? Format::kText : Format::kJson;
}

std::unique_ptr<RunView> make_document(Client& client, const RunOptions& options, StdioWriter& stdio) {
  auto document = std::make_unique<FinalDocument>(
      stdio, options.artifacts_dir.empty() ? FinalDocument::Writing::kAtTheEnd : FinalDocument::Writing::kWhenTold);
  document->ask_layers_of([&client, profile = options.profile, session = options.session] {
    return ask_profile_layers(client, profile, session);
  });
  return document;
}

Result<std::unique_ptr<RunView>> make_view(Client& client, const RunOptions& options, StdioWriter& stdio) {
  switch (options.format) {
    case RunFormat::kDocument: return make_document(client, options, stdio);
    case RunFormat::kEvents: return std::make_unique<EventLines>(stdio);
    case RunFormat::kText: break;
  }
  std::optional<DisplayFiles> files;
  if (!options.display_dir.empty()) {
    Result<DisplayFiles> opened = DisplayFiles::open(options.display_dir);
    if (!opened) return tl::unexpected(opened.error());
    files = std::move(*opened);
  }
  const TextViewOptions text{.control_characters = options.control_characters, .result_text = result_text_for(options)};
  return std::make_unique<TextView>(stdio, text, std::move(files));
}

Status send_named_files(Client& client, const RunOptions& options) {
  std::vector<FilePair> files;
  for (const std::string& text : options.files) {
    auto pair = parse_file_option(text);
    if (!pair) return tl::unexpected(pair.error());
    if (pair->local == "-") return failure(Errc::kInvalid, "--file takes a file, not standard input");
    files.push_back(std::move(*pair));
  }
  return send_files(client, files);
}

// The run has ended. What it wrote is fetched and listed; that something could not be saved does not change its status.
void save_artifacts(Client& client, const RunOptions& options, const std::string& run_id, RunView& view,
                    StdioWriter& stdio) {
  const auto artifacts = fetch_tree(client, {run_id, {}}, {}, options.artifacts_dir);
  if (!artifacts) note("the files of the run are not saved: " + artifacts.error().message);
  const FileDone done{.id = client.next_id(), .run_id = run_id};
  (void)client.call(done.id, done);
  const std::string json = artifacts ? artifacts_json(*artifacts) : "null";
  switch (options.format) {
    case RunFormat::kDocument: (void)dynamic_cast<FinalDocument&>(view).write(json); break;
    case RunFormat::kEvents:
      (void)stdio.write(Stream::kOut, "{\"v\":1,\"event\":\"artifacts\",\"artifacts\":" + json + "}\n");
      break;
    case RunFormat::kText:
      if (artifacts) note_artifacts(*artifacts, options.artifacts_dir);
  }
}

}  // namespace

int run_to_end(const RunOptions& options, WhenNobodyListens policy) {
  Execute request = execute_from(options);
  Result<std::string> code = read_code(options, STDIN_FILENO);
  if (!code) return report(code.error(), error_format(options));
  request.code.value = std::move(*code);
  Result<Client> client = connect_to_manager(options.socket, policy);
  if (!client) return report(client.error(), error_format(options));
  if (const Status sent = send_named_files(*client, options); !sent) {
    return report(sent.error(), error_format(options));
  }
  const Result<CancelSignals> signals = CancelSignals::install();
  if (!signals) return report(signals.error(), error_format(options));
  StdioWriter stdio(STDOUT_FILENO, STDERR_FILENO, signals->fd());
  const Result<std::unique_ptr<RunView>> view = make_view(*client, options, stdio);
  if (!view) return report(view.error(), error_format(options));
  const RunEnd end = run_stream(*client, std::move(request), STDIN_FILENO, **view, stdio);
  if (end.problem) {
    report(*end.problem, error_format(options));
  } else if (!options.artifacts_dir.empty() && !end.run_id.empty()) {
    save_artifacts(*client, options, end.run_id, **view, stdio);
  }
  return end.exit_status;
}

}  // namespace capsule::cli
