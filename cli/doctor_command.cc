// `doctor`: asks the manager program, not a running manager, what can be had of the sandbox on this machine.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>

#include "base/posix_io.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/manager_binary.h"
#include "cli/render_info.h"

namespace capsule::cli {
namespace {

constexpr size_t kDocumentBytes = 256 << 10;

struct Answer {
  std::string text;
  int status = 0;
};

Result<Answer> ask(std::vector<std::string> words) {
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected(pipe.error());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe->second.get(), STDOUT_FILENO);
  pid_t child = 0;
  const int failed = posix_spawn(&child, words[0].c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    errno = failed;
    return system_failure("cannot start " + words[0]);
  }
  pipe->second.reset();
  Answer answer;
  std::array<char, 4096> block;
  ssize_t got = 0;
  while (answer.text.size() < kDocumentBytes && (got = read(pipe->first.get(), block.data(), block.size())) > 0) {
    answer.text.append(block.data(), static_cast<size_t>(got));
  }
  int status = 0;
  waitpid(child, &status, 0);
  answer.status = WIFEXITED(status) ? WEXITSTATUS(status) : kExitUnavailable;
  return answer;
}

}  // namespace

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
  const Result<std::string> program = find_manager_binary();
  if (!program) return report(program.error(), common.format);
  std::vector<std::string> words{*program, "--doctor"};
  if (!config.empty()) words.insert(words.end(), {"--config", config});
  if (strict) words.emplace_back("--strict");
  const Result<Answer> answer = ask(std::move(words));
  if (!answer) return report(answer.error(), common.format);
  if (answer->text.empty()) return kExitUnavailable;  // it has said why on stderr
  const Result<std::string> shown =
      common.format == Format::kJson ? Result<std::string>(answer->text) : render_doctor(answer->text);
  if (!shown) return report(shown.error(), common.format);
  const int printed = print(*shown);
  return printed != kExitOk ? printed : answer->status;
}

}  // namespace capsule::cli
