#include <CLI/CLI.hpp>
#include <catch2/catch.hpp>

#include "cli/branches_run.h"
#include "protocol/limits.h"
#include "tests/unit/cli/memory_file.h"

namespace capsule::cli {
namespace {

enum class Command { kRun, kExec };

// Throws what CLI11 throws for a wrong command line.
RunOptions parsed(Command command, std::vector<std::string> words) {
  CLI::App app;
  BranchesOptions options;
  if (command == Command::kRun) {
    add_run_options(app, options);
  } else {
    add_exec_options(app, options.run);
  }
  app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  if (!options.files.empty()) options.run.file = options.files.front();
  return options.run;
}
RunOptions run(std::vector<std::string> words) { return parsed(Command::kRun, std::move(words)); }
RunOptions exec(std::vector<std::string> words) { return parsed(Command::kExec, std::move(words)); }

}  // namespace

TEST_CASE("branches need a session, and one code or one for each", "[cli]") {
  const auto checked = [](BranchesOptions options) { return check_branches(options).has_value(); };
  BranchesOptions options;
  CHECK(checked(options));
  options.files = {"a.py", "b.py"};
  CHECK_FALSE(checked(options));
  options.count = 2;
  CHECK_FALSE(checked(options));
  options.run.session = "lab";
  CHECK(checked(options));
  options.count = 3;
  CHECK_FALSE(checked(options));
  options.files = {"a.py", "-", "b.py"};
  CHECK_FALSE(checked(options));
  options.files = {"-"};
  CHECK(checked(options));
  options.run.artifacts_dir = "out";
  CHECK_FALSE(checked(options));
}

TEST_CASE("run FILE is a script with standard input and a hidden result", "[cli]") {
  const RunOptions options = run({"dir/x.py"});
  const Execute request = execute_from(options);
  CHECK(request.mode == "script");
  CHECK(request.filename == "dir/x.py");
  CHECK(request.standard_input);
  CHECK(request.session == "");
  CHECK(request.timeout_ms == 0);
  CHECK(result_text_for(options) == ResultText::kHide);
}

TEST_CASE("run -c takes any code, also what looks like an option", "[cli]") {
  for (const char* code : {"print(1)", "-1", "--json", "", "a\nb", "[1, 2]"}) {
    const RunOptions options = run({"-c", code});
    REQUIRE(check_run_options(options));
    CHECK(read_code(options, -1) == code);
    CHECK(execute_from(options).filename == "<string>");
    CHECK(execute_from(options).standard_input);
    CHECK(result_text_for(options) == ResultText::kShow);
  }
}

TEST_CASE("run - reads the code and leaves the program without input", "[cli]") {
  const RunOptions options = run({"-"});
  const MemoryFile input("print(2)");
  CHECK(read_code(options, input.fd()) == "print(2)");
  CHECK(execute_from(options).filename == "<stdin>");
  CHECK_FALSE(execute_from(options).standard_input);
  CHECK(result_text_for(options) == ResultText::kShow);
}

TEST_CASE("exec is a cell without input unless asked", "[cli]") {
  const RunOptions options = exec({"lab", "-c", "x"});
  const Execute request = execute_from(options);
  CHECK(request.session == "lab");
  CHECK(request.mode == "cell");
  CHECK(request.filename == "");
  CHECK_FALSE(request.standard_input);
  CHECK(execute_from(exec({"lab", "-c", "x", "--stdin"})).standard_input);
  CHECK(result_text_for(exec({"lab", "x.py"})) == ResultText::kShow);
  CHECK(execute_from(exec({"lab", "x.py"})).filename == "x.py");
}

TEST_CASE("limits and profile become fields of the request", "[cli]") {
  const Execute request = execute_from(run({"x.py", "--profile", "data", "--timeout", "1.5", "--output-limit", "64KiB",
                                            "--output-policy", "truncate", "--no-stdin"}));
  CHECK(request.profile == "data");
  CHECK(request.timeout_ms == 1500);
  CHECK(request.output_bytes == 65536);
  CHECK(request.output_policy == "truncate");
  CHECK_FALSE(request.standard_input);
}

TEST_CASE("formats and views are chosen by flags", "[cli]") {
  CHECK(run({"x", "--json"}).format == RunFormat::kDocument);
  CHECK(run({"x", "--events"}).format == RunFormat::kEvents);
  CHECK(run({"x"}).control_characters == ControlCharacters::kAuto);
  CHECK(run({"x", "--escape"}).control_characters == ControlCharacters::kEscape);
  CHECK(run({"x", "--raw"}).control_characters == ControlCharacters::kPass);
  CHECK(result_text_for(run({"x", "--show-result", "always"})) == ResultText::kShow);
  CHECK(result_text_for(run({"-c", "x", "--show-result", "never"})) == ResultText::kHide);
}

TEST_CASE("wrong values are found before anything is sent", "[cli]") {
  CHECK_THROWS_AS(run({"x", "--timeout", "0"}), CLI::ParseError);
  CHECK_THROWS_AS(run({"x", "--output-limit", "lots"}), CLI::ParseError);
  CHECK_THROWS_AS(run({"x", "--output-policy", "drop"}), CLI::ParseError);
  CHECK_THROWS_AS(run({"x", "--show-result", "maybe"}), CLI::ParseError);
  CHECK_THROWS_AS(run({"x", "--json", "--events"}), CLI::ParseError);
  CHECK_THROWS_AS(exec({"s", "x", "y"}), CLI::ParseError);
  CHECK_THROWS_AS(exec({}), CLI::ParseError);
}

TEST_CASE("exactly one source of code", "[cli]") {
  CHECK_FALSE(check_run_options(run({})));
  CHECK_FALSE(check_run_options(run({"x.py", "-c", "1"})));
  CHECK_FALSE(check_run_options(exec({"s", "-", "--stdin"})));
  CHECK(check_run_options(run({"x.py"})));
}

TEST_CASE("arguments that the wire cannot carry are refused by number", "[cli]") {
  RunOptions options = run({"x.py"});
  options.program_arguments = {"fine", "b\xff"};
  CHECK(check_run_options(options).error().message == "program argument 2 is not UTF-8");
  options.program_arguments.assign(limits::kArguments + 1, "a");
  CHECK(check_run_options(options).error().code == Errc::kTooLarge);
  options.program_arguments.assign(5, std::string(1 << 20, 'a'));
  CHECK(check_run_options(options).error().code == Errc::kTooLarge);
}

TEST_CASE("code that is too long is refused while it is read", "[cli]") {
  const MemoryFile input(std::string(limits::kCodeBytes + 1, '#'));
  CHECK(read_code(run({"-"}), input.fd()).error().code == Errc::kTooLarge);
  CHECK_FALSE(check_run_options(run({"-c", std::string(limits::kCodeBytes + 1, '#')})));
}

TEST_CASE("a file that is not there is named", "[cli]") {
  CHECK(read_code(run({"/nonexistent/x.py"}), -1).error().message.find("/nonexistent/x.py") != std::string::npos);
}

TEST_CASE("a file name that is not UTF-8 can be shown in tracebacks", "[cli]") {
  CHECK(execute_from(run({"a\xff.py"})).filename == "a\xEF\xBF\xBD.py");
}

TEST_CASE("a caller's ids go along with the run", "[cli]") {
  const Execute request = execute_from(run({"--request-id", "order-17", "--traceparent", "00-x", "-c", "1"}));
  CHECK(request.request_id == "order-17");
  CHECK(request.traceparent == "00-x");  // the manager judges it
  CHECK(execute_from(exec({"lab", "--request-id", "q", "-c", "1"})).request_id == "q");
}

TEST_CASE("a context that cannot be sent is none, an id is refused", "[cli]") {
  CHECK(execute_from(run({"--traceparent", std::string(129, 'x'), "-c", "1"})).traceparent.empty());
  CHECK(execute_from(run({"--traceparent", "\xff", "-c", "1"})).traceparent.empty());
  CHECK(check_run_options(run({"--request-id", std::string(128, 'x'), "-c", "1"})));
  CHECK_FALSE(check_run_options(run({"--request-id", std::string(129, 'x'), "-c", "1"})));
}

}  // namespace capsule::cli
