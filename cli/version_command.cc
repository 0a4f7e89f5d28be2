#include <CLI/CLI.hpp>

#include "base/utf8.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/run_json.h"

namespace capsule::cli {

int version_command(const Invocation& invocation) {
  CLI::App app("Shows this command's version, and the manager's when one listens.", "capsule version");
  app.footer("Examples:\n  capsule version\n  capsule version --json");
  CommonOptions common{.socket = invocation.socket};
  add_common_options(app, common);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  const Result<Client> client = connect_to_manager(common.socket, WhenNobodyListens::kFail);
  if (common.format == Format::kJson) {
    Json document = {{"v", 1}, {"version", CAPSULE_VERSION}, {"protocol", kProtocolVersion}, {"manager", nullptr}};
    if (client) {
      document["manager"] = {{"software", client->manager().software},
                             {"protocol", client->manager().version},
                             {"socket", client->path()}};
    }
    return print(dump_line(document));
  }
  std::string text = "capsule " CAPSULE_VERSION " (protocol " + std::to_string(kProtocolVersion) + ")\n";
  if (client) {
    text += "manager " + escape_control(client->manager().software) + " (protocol " +
            std::to_string(client->manager().version) + ") at " + client->path() + "\n";
  } else {
    text += "manager: " + escape_control(client.error().message) + "\n";
  }
  return print(text);
}

}  // namespace capsule::cli
