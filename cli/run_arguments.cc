// How the options of `run` and `exec` are spelled.
#include <CLI/CLI.hpp>
#include <map>

#include "cli/arguments.h"
#include "cli/branches_run.h"
#include "cli/run_request.h"
#include "cli/size_text.h"

namespace capsule::cli {
namespace {

const std::map<std::string, ShowResult> kShowResults{
    {"auto", ShowResult::kAuto}, {"always", ShowResult::kAlways}, {"never", ShowResult::kNever}};

constexpr int kFilesMax = 1024;

template <class Parse>
auto checked(Parse parse, uint64_t& into) {
  return [parse, &into](const std::string& text) {
    const Result<uint64_t> value = parse(text);
    if (!value) throw CLI::ValidationError(value.error().message);
    into = *value;
  };
}

void add_code_option(CLI::App& app, RunOptions& into) {
  app.add_option("-c", into.code, "Code to run")->option_text("CODE");
}

void add_limits(CLI::App& app, RunOptions& into) {
  app.add_option_function<std::string>("--timeout", checked(parse_seconds_as_ms, into.timeout_ms),
                                       "Wall-clock limit in seconds (default: the profile's)")
      ->option_text("SECONDS");
  app.add_option_function<std::string>("--cpu", checked(parse_seconds_as_ms, into.cpu_ms),
                                       "Processor time in seconds, of all it starts (default: the profile's)")
      ->option_text("SECONDS");
  app.add_option_function<std::string>("--memory", checked(parse_size_bytes, into.memory_bytes),
                                       "Memory in bytes, of all it starts; 512M, 1G (default: the profile's)")
      ->option_text("BYTES");
  app.add_option("--processes", into.processes, "Processes and threads of the program (default: the profile's)")
      ->check(positive_count())
      ->option_text("N");
  app.add_option("--open-files", into.open_files, "Open files of each of its processes (default: the profile's)")
      ->check(positive_count())
      ->option_text("N");
  app.add_option_function<std::string>("--workspace", checked(parse_size_bytes, into.workspace_bytes),
                                       "What its workspace may hold in bytes; 16M (default: the profile's)")
      ->option_text("BYTES");
  app.add_option("--workspace-files", into.workspace_files, "Files and directories in it (default: the profile's)")
      ->check(positive_count())
      ->option_text("N");
  app.add_option("--require", into.require, "Sandbox layers that must be in force: seccomp,landlock,netns")
      ->delimiter(',')
      ->option_text("LAYERS");
  app.add_option_function<std::string>("--output-limit", checked(parse_size_bytes, into.output_bytes),
                                       "Output limit in bytes; 64KiB, 10M (default: the profile's)")
      ->option_text("BYTES");
  app.add_option("--output-policy", into.output_policy, "At the output limit: block, truncate or stop")
      ->check(CLI::IsMember({"block", "truncate", "stop"}))
      ->option_text("POLICY");
}

void add_tracing(CLI::App& app, RunOptions& into) {
  app.add_option("--request-id", into.request_id, "Your name for this request (default: one is made)")
      ->option_text("ID");
  app.add_option("--traceparent", into.traceparent, "W3C trace context that the run belongs to")
      ->envname("TRACEPARENT")
      ->option_text("CONTEXT");
}

void add_file_options(CLI::App& app, RunOptions& into) {
  app.add_option("--file", into.files, "Put a file into the workspace first, under its own name or another; repeatable")
      ->option_text("FILE[=PATH]")
      ->allow_extra_args(false);
  app.add_option("--artifacts", into.artifacts_dir, "Save the files that the run wrote to this directory")
      ->option_text("DIR");
}

void add_output_options(CLI::App& app, RunOptions& into) {
  CLI::Option* json = app.add_flag_callback(
      "--json", [&into] { into.format = RunFormat::kDocument; }, "Print one JSON document at the end");
  app.add_flag_callback(
         "--events", [&into] { into.format = RunFormat::kEvents; }, "Print one line of JSON per event, as they come")
      ->excludes(json);
  app.add_option("--show-result", into.show_result, "Print the last value: auto, always or never (auto: not for files)")
      ->transform(CLI::CheckedTransformer(kShowResults).description(""))
      ->option_text("WHEN");
  app.add_option("--display-dir", into.display_dir, "Save pictures, HTML and the like to this directory")
      ->option_text("DIR");
  add_control_options(app, into.control_characters);
}

}  // namespace

void add_run_options(CLI::App& app, BranchesOptions& options) {
  RunOptions& into = options.run;
  add_code_option(app, into);
  app.add_option("FILE", options.files, "A file to run; - reads the code from standard input")->expected(0, kFilesMax);
  app.add_option("--profile", into.profile, "The profile to run in (default: the manager's)")->option_text("NAME");
  add_limits(app, into);
  add_tracing(app, into);
  add_file_options(app, into);
  app.add_flag_callback(
      "--no-stdin", [&into] { into.standard_input = StandardInput::kNone; }, "Give the program end-of-file at once");
  app.add_option("--branches", options.count, "Fork a session so often, and run the code, or a file each, in the forks")
      ->check(positive_count())
      ->option_text("N");
  app.add_option("--session", into.session, "With --branches: the session to fork")->option_text("SESSION");
  app.add_option("--name", options.name, "With --branches: what to call the forks, NAME-1, NAME-2 ...")
      ->option_text("NAME");
  add_output_options(app, into);
  add_socket_option(app, into.socket);
}

void add_exec_options(CLI::App& app, RunOptions& into) {
  app.add_option("SESSION", into.session, "The session's id")->required();
  add_code_option(app, into);
  app.add_option("FILE", into.file, "A file to run; - reads the code from standard input");
  add_limits(app, into);
  add_tracing(app, into);
  add_file_options(app, into);
  app.add_option("--rollback", into.rollback, "A snapshot before this run: always, idle, off (default: the session's)")
      ->check(CLI::IsMember({"always", "idle", "off"}))
      ->option_text("WHEN");
  app.add_flag_callback(
      "--stdin", [&into] { into.standard_input = StandardInput::kForward; },
      "Forward standard input (default: end-of-file)");
  add_output_options(app, into);
  add_socket_option(app, into.socket);
}

}  // namespace capsule::cli
