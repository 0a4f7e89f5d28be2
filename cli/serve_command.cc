// `serve` becomes the manager: the service that systemd or a shell started is then the manager itself.
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/manager_binary.h"

namespace capsule::cli {
namespace {

struct ServeOption {
  const char* name;
  const char* value_name;
  const char* description;
  std::string value;
};

}  // namespace

int serve_command(const Invocation& invocation) {
  CLI::App app("Runs the manager in the foreground; SIGTERM lets runs end, a second one aborts them.", "capsule serve");
  app.footer(
      "Further options are passed on to capsule-manager.\n\n"
      "Examples:\n"
      "  capsule serve\n"
      "  capsule serve --config capsule.toml --http 127.0.0.1:9123");
  std::vector<ServeOption> options{
      {"--config", "FILE", "Settings (TOML)", {}},
      {"--socket", "PATH", "Where to listen", invocation.socket},
      {"--state-dir", "DIR", "Where records are kept", {}},
      {"--http", "ADDR:PORT", "Serve GET /metrics there (default: off)", {}},
      {"--http-socket", "PATH", "The same on a Unix socket (default: off)", {}},
  };
  for (ServeOption& option : options) {
    app.add_option(option.name, option.value, option.description)->option_text(option.value_name);
  }
  app.allow_extras();
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  const Result<std::string> program = find_manager_binary();
  if (!program) return report(program.error(), Format::kText);

  std::vector<std::string> words{"capsule-manager"};
  for (const ServeOption& option : options) {
    if (option.value.empty()) continue;
    words.push_back(option.name);
    words.push_back(option.value);
  }
  for (std::string& extra : app.remaining()) words.push_back(std::move(extra));
  words.insert(words.end(), invocation.program_arguments.begin(), invocation.program_arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  signal(SIGPIPE, SIG_DFL);  // what is ignored stays ignored across exec
  execv(program->c_str(), argv.data());
  return report(Error{Errc::kSystem, "cannot start " + *program + ": " + std::strerror(errno)}, Format::kText);
}

}  // namespace capsule::cli
