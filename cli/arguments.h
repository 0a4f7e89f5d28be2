// What all commands share on their command lines. CLI11 stays behind this and the command files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/report.h"
#include "cli/terminal_text.h"

namespace CLI {
class App;
class Option;
class Validator;
}  // namespace CLI

namespace capsule::cli {

struct CommonOptions {
  std::string socket;
  Format format = Format::kText;
};

// --socket and --json.
void add_common_options(CLI::App& app, CommonOptions& into);
void add_socket_option(CLI::App& app, std::string& into);
// A number without a sign or a unit.
CLI::Option* add_whole_number(CLI::App& app, const std::string& flag, uint64_t& into, const std::string& help);
// The same from `min` to `max`.
struct NumberBounds {
  uint64_t min = 0, max = 0;
};
CLI::Option* add_whole_number(CLI::App& app, const std::string& flag, uint64_t& into, const std::string& help,
                              NumberBounds bounds);
// --escape and --raw.
void add_control_options(CLI::App& app, ControlCharacters& into);

CLI::Validator not_empty();
// A whole number from 1 on.
CLI::Validator positive_count();

// Fills what the options are bound to. An exit status when the command ends here: 0 after --help, 2 for a mistake,
// which is explained on stderr.
std::optional<int> parse_arguments(CLI::App& app, const std::vector<std::string>& arguments);

// Says what is wrong with the command line; kExitUsage.
int usage_error(const CLI::App& app, const std::string& message);

}  // namespace capsule::cli
