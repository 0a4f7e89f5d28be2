#include "cli/command.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "cli/exit_code.h"
#include "cli/report.h"

namespace capsule::cli {
namespace {

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(const Invocation&);
};

constexpr std::array<Command, 18> kCommands{{
    {"serve", "the manager, as a service", serve_command},
    {"run", "run a program in a fresh sandbox", run_command},
    {"session", "make, list and remove sessions; go back in them", session_command},
    {"exec", "run code in a session", exec_command},
    {"checkpoints", "durable checkpoints: list, show, remove, export, import", checkpoints_command},
    {"cp", "copy files into a session and out of it", cp_command},
    {"cancel", "stop runs", cancel_command},
    {"ps", "list runs", ps_command},
    {"logs", "what a run printed, also while it runs", logs_command},
    {"stacks", "where a running program is", stacks_command},
    {"inspect", "all that is known of a run; what is in a session", inspect_command},
    {"tap", "the frames of a session's worker, live", tap_command},
    {"trace", "where a run spent its time", trace_command},
    {"info", "the manager's state: pools, workers, sessions, runs, queue, limits, layers", info_command},
    {"doctor", "what can be had of the sandbox here, and what to do about the rest", doctor_command},
    {"audit", "check that an audit log is whole", audit_command},
    {"key", "API keys for the manager's HTTP listener: make, list, remove", key_command},
    {"version", "this command's version and the manager's", version_command},
}};

constexpr size_t kTypoDistance = 2;

// Levenshtein, one row at a time.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

int unknown_command(const std::string& word) {
  std::string text = "'" + word + "' is not a command";
  for (const Command& command : kCommands) {
    if (word.size() <= 2 * command.name.size() && edit_distance(word, command.name) <= kTypoDistance) {
      text += "; did you mean '" + std::string(command.name) + "'?";
      break;
    }
  }
  note(text + (text.ends_with('?') ? "" : "; see: capsule --help"));
  return kExitUsage;
}

const Command* find_command(const std::string& name) {
  const auto found = std::find_if(kCommands.begin(), kCommands.end(), [&](const Command& c) { return c.name == name; });
  return found == kCommands.end() ? nullptr : &*found;
}

}  // namespace

std::string overview_text() {
  std::string text =
      "Runs Python in sandboxes that are warm already.\n\n"
      "Usage: capsule [--socket PATH] COMMAND [OPTIONS]\n\nCommands:\n";
  for (const Command& command : kCommands) {
    std::string name(command.name);
    name.resize(13, ' ');
    text += "  " + name + std::string(command.summary) + "\n";
  }
  text +=
      "\nExamples:\n"
      "  capsule run hello.py              run a file; a manager is started when there is none\n"
      "  capsule run -c '6 * 7'            run code, print the last value\n"
      "  capsule session new --profile data\n"
      "  capsule exec SESSION -c 'x = 1'   state stays between runs\n"
      "  capsule COMMAND --help            options and examples of one command\n"
      "\nThe manager's socket: --socket, CAPSULE_SOCKET, the user's runtime directory, /run/capsule/capsule.sock.\n"
      "\nExit status of run and exec: the program's own; 124 timeout, 125 Capsule could not, 130 cancelled,\n"
      "137 out of memory or worker lost, 141 nobody reads the output, 152 CPU limit, 153 output limit,\n"
      "159 sandbox violation, 128+n signal n. Of every command: 2 for a wrong command line, 125 without a manager.\n";
  return text;
}

int dispatch(std::vector<std::string> arguments) {
  Invocation invocation;
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  const bool has_dashes = dashes != arguments.end();
  if (has_dashes) {
    invocation.program_arguments.assign(dashes + 1, arguments.end());
    arguments.erase(dashes, arguments.end());
  }
  size_t at = 0;
  while (at < arguments.size() && arguments[at].starts_with("-")) {
    const std::string& word = arguments[at];
    if (word == "--help" || word == "-h") return print(overview_text());
    if (word == "--version") return version_command({});
    if (word.starts_with("--socket=")) {
      invocation.socket = word.substr(std::string_view("--socket=").size());
      at += 1;
    } else if (word == "--socket" && at + 1 < arguments.size()) {
      invocation.socket = arguments[at + 1];
      at += 2;
    } else {
      note("unexpected " + word + " before the command; see: capsule --help");
      return kExitUsage;
    }
  }
  if (at == arguments.size()) {
    (void)print(overview_text());
    return kExitUsage;
  }
  if (arguments[at] == "help") {
    const Command* topic = at + 1 < arguments.size() ? find_command(arguments[at + 1]) : nullptr;
    if (topic == nullptr) return print(overview_text());
    return topic->run({.socket = {}, .arguments = {"--help"}, .program_arguments = {}});
  }
  const Command* command = find_command(arguments[at]);
  if (command == nullptr) return unknown_command(arguments[at]);
  if (has_dashes && command->name != "run" && command->name != "exec" && command->name != "serve") {
    note("'" + std::string(command->name) + "' takes nothing after --");
    return kExitUsage;
  }
  invocation.arguments.assign(arguments.begin() + static_cast<std::ptrdiff_t>(at) + 1, arguments.end());
  return command->run(invocation);
}

}  // namespace capsule::cli
