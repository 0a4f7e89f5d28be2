// `doctor`: asks the manager program, not a running manager, what can be had of the sandbox on this machine.
#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/manager_answer.h"
#include "cli/render_info.h"

namespace capsule::cli {
int doctor_command(const Invocation& invocation) {
  CLI::App app(
      "Tries each layer of the sandbox on this machine and says what holds, what does not, and how to mend it.",
      "capsule doctor");
  app.footer(
      "Exit status: 0 when the configured floor is met (sandbox.floor, standard by default), 1 when it is not.\n\n"
      "Examples:\n"
      "  capsule doctor\n"
      "  capsule doctor --strict\n"
      "  capsule doctor --json | jq '.layers[] | select(.state != \"on\") | .fix'");
  CommonOptions common;
  std::string config;
  bool strict = false;
  app.add_option("--config", config, "Settings (TOML)")->option_text("FILE");
  app.add_flag("--strict", strict, "Ask for every layer");
  app.add_flag_callback(
      "--json", [&common] { common.format = Format::kJson; }, "One JSON document");
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  std::vector<std::string> words{"--doctor"};
  if (!config.empty()) words.insert(words.end(), {"--config", config});
  if (strict) words.emplace_back("--strict");
  const Result<ManagerAnswer> answer = ask_manager_program(std::move(words));
  if (!answer) return report(answer.error(), common.format);
  if (answer->text.empty()) return kExitUnavailable;  // it has said why on stderr
  const Result<std::string> shown =
      common.format == Format::kJson ? Result<std::string>(answer->text) : render_doctor(answer->text);
  if (!shown) return report(shown.error(), common.format);
  const int printed = print(*shown);
  return printed != kExitOk ? printed : answer->status;
}

}  // namespace capsule::cli
