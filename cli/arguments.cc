#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <limits>

#include "cli/exit_code.h"
#include "cli/size_text.h"

namespace capsule::cli {

void add_socket_option(CLI::App& app, std::string& into) {
  app.add_option("--socket", into, "The manager's socket")->option_text("PATH");
}

void add_common_options(CLI::App& app, CommonOptions& into) {
  add_socket_option(app, into.socket);
  app.add_flag_callback(
      "--json", [&into] { into.format = Format::kJson; }, "Print JSON with \"v\": 1");
}

CLI::Option* add_whole_number(CLI::App& app, const std::string& flag, uint64_t& into, const std::string& help) {
  return add_whole_number(app, flag, into, help, {0, std::numeric_limits<uint64_t>::max()});
}

CLI::Option* add_whole_number(CLI::App& app, const std::string& flag, uint64_t& into, const std::string& help,
                              NumberBounds bounds) {
  const auto take = [flag, bounds, &into](const std::string& text) {
    const std::string name = flag.substr(flag.rfind(',') + 1);
    const Result<uint64_t> value = parse_whole_number(text);
    if (!value) throw CLI::ValidationError(name + ": " + value.error().message);
    if (*value < bounds.min || *value > bounds.max) {
      throw CLI::ValidationError(name + ": '" + text + "' is out of range; write " + std::to_string(bounds.min) +
                                 " to " + std::to_string(bounds.max));
    }
    into = *value;
  };
  return app.add_option_function<std::string>(flag, take, help)->option_text("N");
}

void add_control_options(CLI::App& app, ControlCharacters& into) {
  CLI::Option* escape = app.add_flag_callback(
      "--escape", [&into] { into = ControlCharacters::kEscape; },
      "Show control characters of the program as \\xNN (default on a terminal)");
  app.add_flag_callback(
         "--raw", [&into] { into = ControlCharacters::kPass; },
         "Pass them on, to a terminal too, which does what they say")
      ->excludes(escape);
}

// A variable of a script that is not set should not mean that the option was not given.
CLI::Validator not_empty() {
  return CLI::Validator([](const std::string& text) { return text.empty() ? "may not be empty" : ""; }, "");
}

CLI::Validator positive_count() {
  const auto check = [](const std::string& text) -> std::string {
    const bool is_number = text.find_first_not_of("0123456789") == text.npos;
    const bool is_positive = text.find_first_not_of('0') != text.npos;
    return is_number && is_positive ? "" : "found '" + text + "'; a whole number from 1 on is needed";
  };
  return CLI::Validator(check, "");
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
