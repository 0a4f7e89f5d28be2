#include "cli/arguments.h"

#include <CLI/CLI.hpp>

#include "cli/exit_code.h"

namespace capsule::cli {

void add_socket_option(CLI::App& app, std::string& into) {
  app.add_option("--socket", into, "The manager's socket")->option_text("PATH");
}

void add_common_options(CLI::App& app, CommonOptions& into) {
  add_socket_option(app, into.socket);
  app.add_flag_callback(
      "--json", [&into] { into.format = Format::kJson; }, "Print JSON with \"v\": 1");
}

std::optional<int> parse_arguments(CLI::App& app, const std::vector<std::string>& arguments) {
  app.get_formatter()->column_width(34);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them from the back
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    return print(app.help());
  } catch (const CLI::ExtrasError& error) {
    const bool has_program = app.get_name() == "capsule run";
    return usage_error(app, error.what() + std::string(has_program ? "; arguments of the program go after --" : ""));
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error.what());
  }
}

int usage_error(const CLI::App& app, const std::string& message) {
  note(message);
  note("see: " + app.get_name() + " --help");
  return kExitUsage;
}

}  // namespace capsule::cli
