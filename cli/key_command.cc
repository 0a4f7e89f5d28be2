// `key`: API keys for the manager's HTTP listener. Done by the manager program, beside a running manager: whoever may
// write its state directory may make keys. Which directory that is: the one that was named, by itself or in settings;
// else that of the manager that listens; else the one that a manager of this user would take.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/document_request.h"
#include "cli/exit_code.h"
#include "cli/manager_answer.h"
#include "cli/table.h"
#include "protocol/api_key_limits.h"

namespace capsule::cli {
namespace {

using Json = nlohmann::json;

struct KeyOptions {
  std::string name, state_dir, config, socket;
  uint64_t per_minute = 600, days = 0;
  Format format = Format::kText;
};

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

// The key alone, so that a script can take it; what to do with it is for people.
std::string render_new(const Json& document) {
  note("the key is kept in " + text_of(document["file"]) + ", for the manager of that state directory");
  note("it is not shown again; send it as: Authorization: Bearer KEY");
  return text_of(document["key"]) + "\n";
}

std::string render_list(const Json& document) {
  Table table({{"NAME"}, {"PER MINUTE", Align::kRight}, {"MADE"}, {"EXPIRES"}});
  for (const Json& key : document["keys"]) {
    table.add_row({text_of(key["name"]), std::to_string(key["requests_per_minute"].get<uint64_t>()),
                   text_of(key["made_at"]), key["expires_at"].is_null() ? "never" : text_of(key["expires_at"])});
  }
  return table.text(0);
}

// Empty: nobody listens, and nobody said that somebody does.
Result<std::string> state_dir_of_manager(const std::string& socket) {
  const SocketEnvironment environment = read_socket_environment(socket);
  const bool is_named = !environment.flag.empty() || !environment.capsule_socket.empty();
  Result<Client> client = connect_to_manager(socket, WhenNobodyListens::kFail);
  if (!client && !is_named) return std::string();
  if (!client) {
    return failure(client.error().code, client.error().message + "; or say which state directory with --state-dir");
  }
  const auto info = request_document(*client, InfoRequest{.id = 0, .sections = {"manager"}});
  if (!info) return tl::unexpected<Error>(info.error());
  const Json document = Json::parse(*info, nullptr, false);
  const Json::json_pointer place("/manager/state_dir");
  if (document.is_object() && document.contains(place) && document[place].is_string()) return text_of(document[place]);
  return failure(Errc::kUnavailable, "the manager that listens has no state directory");
}

int use_keys(const std::string& operation, KeyOptions options) {
  if (options.state_dir.empty() && options.config.empty()) {
    auto state_dir = state_dir_of_manager(options.socket);
    if (!state_dir) return report(state_dir.error(), options.format);
    options.state_dir = std::move(*state_dir);
  }
  std::vector<std::string> words{"--key", operation};
  if (!options.name.empty()) words.insert(words.end(), {"--key-name", options.name});
  if (!options.state_dir.empty()) words.insert(words.end(), {"--state-dir", options.state_dir});
  if (!options.config.empty()) words.insert(words.end(), {"--config", options.config});
  if (operation == "new") {
    words.insert(words.end(),
                 {"--key-per-minute", std::to_string(options.per_minute), "--key-days", std::to_string(options.days)});
  }
  const auto answer = ask_manager_program(std::move(words));
  if (!answer) return report(answer.error(), options.format);
  if (answer->status != 0) return kExitUnavailable;  // it has said why on stderr
  if (options.format == Format::kJson) return print(answer->text);
  const Json document = Json::parse(answer->text, nullptr, false);
  if (!document.is_object())
    return report({Errc::kInvalid, "the manager program's answer makes no sense"}, options.format);
  if (operation == "new") return print(render_new(document));
  return operation == "ls" ? print(render_list(document)) : kExitOk;
}

void add_options(CLI::App& app, KeyOptions& options) {
  add_socket_option(app, options.socket);
  app.add_option("--state-dir", options.state_dir, "Of a manager that does not listen now")->option_text("DIR");
  app.add_option("--config", options.config, "The manager's settings (TOML)")->option_text("FILE");
  app.add_flag_callback(
      "--json", [&options] { options.format = Format::kJson; }, "One JSON document");
}

}  // namespace

int key_command(const Invocation& invocation) {
  CLI::App app("API keys for the manager's HTTP listener (capsule serve --http).", "capsule key");
  app.require_subcommand(1);
  KeyOptions options;
  options.socket = invocation.socket;
  auto* make = app.add_subcommand("new", "Make a key and print it, this one time");
  make->add_option("NAME", options.name, "For lists, limits and the audit log")->required();
  add_whole_number(*make, "--per-minute", options.per_minute, "Requests that it may make in a minute",
                   {1, kKeyRequestsPerMinute});
  add_whole_number(*make, "--days", options.days, "Days until it expires; 0: never", {0, kKeyDays});
  auto* list = app.add_subcommand("ls", "List the keys, without what opens");
  auto* remove = app.add_subcommand("rm", "Remove a key; it stops to hold at once");
  remove->add_option("NAME", options.name, "Which")->required();
  for (CLI::App* command : {make, list, remove}) add_options(*command, options);
  app.footer(
      "Metrics, health and version need no key.\n\n"
      "Examples:\n"
      "  KEY=$(capsule key new grafana --per-minute 60)\n"
      "  curl -H \"Authorization: Bearer $KEY\" http://127.0.0.1:9123/golden-signals");
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  return use_keys(make->parsed() ? "new" : list->parsed() ? "ls" : "rm", options);
}

}  // namespace capsule::cli
