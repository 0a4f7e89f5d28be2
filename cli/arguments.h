// What all commands share on their command lines. CLI11 stays behind this and the command files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/report.h"

namespace CLI {
class App;
}

namespace capsule::cli {

struct CommonOptions {
  std::string socket;
  Format format = Format::kText;
};

// --socket and --json.
void add_common_options(CLI::App& app, CommonOptions& into);
void add_socket_option(CLI::App& app, std::string& into);

// Fills what the options are bound to. An exit status when the command ends here: 0 after --help, 2 for a mistake,
// which is explained on stderr.
std::optional<int> parse_arguments(CLI::App& app, const std::vector<std::string>& arguments);

// Says what is wrong with the command line; kExitUsage.
int usage_error(const CLI::App& app, const std::string& message);

}  // namespace capsule::cli
