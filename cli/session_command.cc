#include <CLI/CLI.hpp>
#include <map>
#include <sstream>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/document_request.h"
#include "cli/exit_code.h"
#include "cli/render_info.h"
#include "cli/report.h"
#include "cli/secret_arguments.h"
#include "cli/size_text.h"

namespace capsule::cli {
namespace {

struct SessionOptions {
  CommonOptions common;
  SessionRequest request;
  std::vector<std::string> sessions;  // rm, reset
  SecretSources secrets;              // new
  bool tree = false;                  // ls
};

// What the protocol calls a command, where that is another word.
const std::map<std::string, std::string> kOperations{{"ls-checkpoints", "checkpoint_ls"},
                                                     {"rm-checkpoint", "checkpoint_rm"}};

int show(const Result<std::string>& rendered, Format format) {
  return rendered ? print(*rendered) : report(rendered.error(), format);
}

void note_lines(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) note(line);
}

int make_session(Client& client, const SessionOptions& options) {
  auto secrets = read_secrets(options.secrets);
  if (!secrets) return report(secrets.error(), options.common.format);
  SessionRequest request = options.request;
  request.secrets = std::move(*secrets);
  const Result<std::string> document = request_document(client, std::move(request));
  if (!document) return report(document.error(), options.common.format);
  if (options.common.format == Format::kJson) return print(*document);
  note_lines(render_not_restored(*document));
  return show(session_id_text(*document), options.common.format);
}

int list_sessions(Client& client, const SessionOptions& options) {
  const Result<std::string> document = request_document(client, options.request);
  if (!document) return report(document.error(), options.common.format);
  if (options.common.format == Format::kJson) return print(*document);
  return show(options.tree ? render_session_tree(*document) : render_sessions(*document), options.common.format);
}

int fork_session(Client& client, const SessionOptions& options) {
  const Result<std::string> document = request_document(client, options.request);
  if (!document) return report(document.error(), options.common.format);
  if (options.common.format == Format::kJson) return print(*document);
  note_lines(render_not_captured(*document));
  return show(render_forks(*document), options.common.format);
}

// undo, checkpoint, restore and their like: one question, one answer.
int ask(Client& client, const SessionOptions& options) {
  const Result<std::string> document = request_document(client, options.request);
  if (!document) return report(document.error(), options.common.format);
  if (options.common.format == Format::kJson) return print(*document);
  const std::string& operation = options.request.operation;
  if (operation == "checkpoint_ls") return show(render_checkpoints(*document), Format::kText);
  if (operation == "undo" || operation == "restore") return show(render_return(*document), Format::kText);
  if (options.request.durable) return show(render_saved(*document), Format::kText);
  if (operation == "adopt") return show(session_id_text(*document), Format::kText);
  return print(options.request.checkpoint + "\n");
}

int change_sessions(Client& client, const SessionOptions& options) {
  int exit_status = kExitOk;
  for (const std::string& session : options.sessions) {
    SessionRequest request = options.request;
    request.session = session;
    const Result<std::string> document = request_document(client, std::move(request));
    if (!document) {
      exit_status = report(document.error(), options.common.format);
      if (document.error().code == Errc::kClosed) break;
      continue;
    }
    const int printed =
        options.common.format == Format::kJson ? print(*document) : show(session_id_text(*document), Format::kText);
    if (printed != kExitOk) return printed;
  }
  return exit_status;
}

template <class Parse>
void add_amount(CLI::App& command, const char* flag, const char* unit, const std::string& what, Parse parse,
                uint64_t& into) {
  const auto take = [parse, &into](const std::string& text) {
    const Result<uint64_t> value = parse(text);
    if (!value) throw CLI::ValidationError(value.error().message);
    into = *value;
  };
  command.add_option_function<std::string>(flag, take, what)->option_text(unit);
}

// `whose`: what holds without them.
void add_session_limits(CLI::App& command, SessionOptions& options, const std::string& whose) {
  SessionLimits& limits = options.request.limits;
  const std::string otherwise = " (default: " + whose + ")";
  add_amount(command, "--timeout", "SECONDS", "Wall-clock limit of each run" + otherwise, parse_seconds_as_ms,
             limits.timeout_ms);
  add_amount(command, "--cpu", "SECONDS", "Processor time of each run" + otherwise, parse_seconds_as_ms, limits.cpu_ms);
  add_amount(command, "--memory", "BYTES", "Memory of its capsule; 512M, 1G" + otherwise, parse_size_bytes,
             limits.memory_bytes);
  add_amount(command, "--output-limit", "BYTES", "Output limit of each run" + otherwise, parse_size_bytes,
             limits.output_bytes);
  add_amount(command, "--workspace", "BYTES", "What its workspace may hold; 16M" + otherwise, parse_size_bytes,
             limits.workspace_bytes);
  command.add_option("--workspace-files", limits.workspace_files, "Files and directories in it" + otherwise)
      ->check(positive_count())
      ->option_text("N");
  command.add_option("--processes", limits.processes, "Processes and threads of its programs" + otherwise)
      ->check(positive_count())
      ->option_text("N");
  command.add_option("--open-files", limits.open_files, "Open files of each of its processes" + otherwise)
      ->check(positive_count())
      ->option_text("N");
}

void add_secrets(CLI::App& command, SessionOptions& options) {
  command.add_option("--secret-env", options.secrets.variables, "Give its programs this variable of yours, in secret")
      ->option_text("NAME");
  command.add_option("--secret-file", options.secrets.files, "Give its programs a variable with a file's content")
      ->option_text("NAME=PATH");
}

void add_rollback(CLI::App& command, SessionOptions& options) {
  command
      .add_option("--rollback", options.request.rollback,
                  "When to take the snapshots that a crash goes back to: always, idle, off (default: the manager's)")
      ->check(CLI::IsMember({"always", "idle", "off"}))
      ->option_text("WHEN");
}

void add_new(CLI::App& app, SessionOptions& options) {
  CLI::App* command = app.add_subcommand("new", "Make a session and print its id");
  add_rollback(*command, options);
  command->add_option("NAME", options.request.session, "Its name: a-z, 0-9 and '-' (default: one is made up)")
      ->check(not_empty());
  command->add_option("--profile", options.request.profile, "The profile (default: the manager's)")
      ->option_text("NAME");
  command->add_option("--from", options.request.checkpoint, "Begin with a durable checkpoint")
      ->check(not_empty())
      ->option_text("CHECKPOINT");
  add_session_limits(*command, options, "the profile's");
  add_secrets(*command, options);
  command
      ->add_option_function<std::string>(
          "--idle-timeout",
          [&options](const std::string& text) {
            const Result<uint64_t> ms = parse_seconds_as_ms(text);
            if (!ms) throw CLI::ValidationError(ms.error().message);
            options.request.idle_timeout_ms = *ms;
          },
          "Close it after so many idle seconds (default: the manager's)")
      ->option_text("SECONDS");
  command->footer("Examples:\n  s=$(capsule session new --profile data)\n  capsule session new lab --idle-timeout 600");
}

void add_others(CLI::App& app, SessionOptions& options) {
  CLI::App* list = app.add_subcommand("ls", "List your sessions");
  list->add_flag("--tree", options.tree, "Show which is a fork of which");
  list->footer("Examples:\n  capsule session ls --tree\n  capsule session ls --json | jq .sessions");
  CLI::App* remove = app.add_subcommand("rm", "End sessions and forget their state");
  remove->footer("Examples:\n  capsule session rm lab");
  CLI::App* reset = app.add_subcommand("reset", "Give sessions a fresh interpreter; their ids stay");
  reset->footer("Examples:\n  capsule session reset lab");
  for (CLI::App* command : {remove, reset}) {
    command->add_option("SESSION", options.sessions, "Ids of sessions")->required();
  }
}

CLI::App* add_of_one(CLI::App& app, const char* name, const char* what, SessionOptions& options) {
  CLI::App* command = app.add_subcommand(name, what);
  command->add_option("SESSION", options.request.session, "The session's id")->required();
  return command;
}

void add_returns(CLI::App& app, SessionOptions& options) {
  CLI::App* undo = add_of_one(app, "undo", "Go back to the state before the last runs", options);
  undo->add_option("RUNS", options.request.count, "How many runs to go back (default: 1)")->check(positive_count());
  undo->footer(
      "Files in the workspace stay as they are.\n\nExamples:\n  capsule session undo lab\n"
      "  capsule session undo lab 3");
  CLI::App* checkpoint = add_of_one(app, "checkpoint", "Keep the present state under a name", options);
  checkpoint->add_option("--name", options.request.checkpoint, "The checkpoint's name")->required();
  CLI::Option* durable = checkpoint->add_flag("--durable", options.request.durable,
                                              "Write a file instead: it outlives session and manager");
  checkpoint->add_option("--notes", options.request.notes, "Words of your own, kept with a durable one")
      ->needs(durable)
      ->option_text("TEXT");
  checkpoint->add_flag("--with-code", options.request.with_code, "Keep the code that led to it with a durable one")
      ->needs(durable);
  checkpoint->footer(
      "`session restore` goes back to one without --durable, in this session; `session new --from` makes a session of\n"
      "a durable one, whose name may have A-Z, '.' and '_' besides a-z, 0-9 and '-'.\n\n"
      "Examples:\n  capsule session checkpoint lab --name before-train\n"
      "  capsule session checkpoint lab --name trained --durable --notes 'epoch 7'");
  add_of_one(app, "ls-checkpoints", "List what a session can go back to", options)
      ->footer("Examples:\n  capsule session ls-checkpoints lab");
  CLI::App* restore = add_of_one(app, "restore", "Go back to a checkpoint, which stays", options);
  restore->footer("Examples:\n  capsule session restore lab before-train");
  CLI::App* forget = add_of_one(app, "rm-checkpoint", "Let go of a checkpoint", options);
  forget->footer("Examples:\n  capsule session rm-checkpoint lab before-train");
  for (CLI::App* command : {restore, forget}) {
    command->add_option("CHECKPOINT", options.request.checkpoint, "Its name")->required();
  }
}

void add_forks(CLI::App& app, SessionOptions& options) {
  CLI::App* fork = app.add_subcommand("fork", "Make independent copies of a live session and print their ids");
  fork->add_option("SESSION", options.request.source, "The session to copy")->required();
  fork->add_option("-n,--count", options.request.count, "How many (default: 1)")->check(positive_count());
  fork->add_option("--name", options.request.session, "Name it; of several NAME-1, NAME-2 ... (default: made up)")
      ->check(not_empty());
  add_rollback(*fork, options);
  add_session_limits(*fork, options, "the session's, and never more");
  fork->footer(
      "Everything in it is copied, also what cannot be pickled, and so are its files, mapped ones too. What it shares\n"
      "with other processes (sockets, pipes, shared memory that is no file) is not; it is listed on standard error.\n"
      "The files are other files: locks on them are not held, hard links are separate files, and a database that is\n"
      "open (sqlite3) has to be opened again to be written to.\n\n"
      "Examples:\n  capsule session fork lab -n 4\n"
      "  capsule session fork lab --name try");
  CLI::App* adopt = app.add_subcommand("adopt", "Let a fork take the place and the name of its original");
  adopt->add_option("SESSION", options.request.session, "The session to give up")->required();
  adopt->add_option("FORK", options.request.source, "The fork that goes on in its place")->required();
  adopt->footer("Examples:\n  capsule session adopt lab lab-try-2");
}

}  // namespace

int session_command(const Invocation& invocation) {
  CLI::App app("Makes, lists, resets and removes sessions; goes back in them.", "capsule session");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  s=$(capsule session new)\n"
      "  capsule exec $s -c 'x = 1'\n"
      "  capsule session undo $s\n"
      "  capsule session ls\n"
      "  capsule session rm $s\n\n"
      "When no manager listens, `new` starts a private one.");
  SessionOptions options{.common = {.socket = invocation.socket}, .request = {}, .sessions = {}, .secrets = {}};
  add_new(app, options);
  add_others(app, options);
  add_returns(app, options);
  add_forks(app, options);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    add_common_options(*command, options.common);
    command->add_option("--request-id", options.request.request_id, "Your name for this request (default: one is made)")
        ->option_text("ID");
    command->fallthrough(false);
  }
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  const std::string name = app.get_subcommands().front()->get_name();
  const auto other_word = kOperations.find(name);
  options.request.operation = other_word == kOperations.end() ? name : other_word->second;
  const bool is_new = options.request.operation == "new";
  Result<Client> client =
      connect_to_manager(options.common.socket, is_new ? WhenNobodyListens::kStartPrivate : WhenNobodyListens::kFail);
  if (!client) return report(client.error(), options.common.format);
  if (is_new) return make_session(*client, options);
  if (options.request.operation == "ls") return list_sessions(*client, options);
  if (options.request.operation == "fork") return fork_session(*client, options);
  if (options.sessions.empty()) return ask(*client, options);
  return change_sessions(*client, options);
}

}  // namespace capsule::cli
