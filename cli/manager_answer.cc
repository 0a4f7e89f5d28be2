#include "cli/manager_answer.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/posix_io.h"
#include "cli/exit_code.h"
#include "cli/manager_binary.h"

namespace capsule::cli {
namespace {
constexpr size_t kAnswerBytes = 256 << 10;
}  // namespace

Result<ManagerAnswer> ask_manager_program(std::vector<std::string> arguments) {
  const Result<std::string> program = find_manager_binary();
  if (!program) return tl::unexpected(program.error());
  arguments.insert(arguments.begin(), *program);
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected(pipe.error());
  std::vector<char*> argv;
  for (std::string& word : arguments) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe->second.get(), STDOUT_FILENO);
  pid_t child = 0;
  const int failed = posix_spawn(&child, program->c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    errno = failed;
    return system_failure("cannot start " + *program);
  }
  pipe->second.reset();
  ManagerAnswer answer;
  std::array<char, 4096> block;
  ssize_t got = 0;
  while (answer.text.size() < kAnswerBytes && (got = read(pipe->first.get(), block.data(), block.size())) > 0) {
    answer.text.append(block.data(), static_cast<size_t>(got));
  }
  int status = 0;
  waitpid(child, &status, 0);
  answer.status = WIFEXITED(status) ? WEXITSTATUS(status) : kExitUnavailable;
  return answer;
}

}  // namespace capsule::cli
