// `logs`: what a run wrote, from its record. Following is asking again, from where one is.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <thread>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/exit_code.h"
#include "cli/run_json.h"
#include "cli/stdio_writer.h"
#include "cli/terminal_text.h"

namespace capsule::cli {
namespace {

constexpr milliseconds kFollowInterval{100};

struct LogsOptions {
  CommonOptions common;
  std::string run, stream;  // empty: both
  uint64_t offset = 0;
  bool follow = false;
  ControlCharacters control_characters = ControlCharacters::kAuto;
};

struct Followed {
  Stream to;
  uint32_t number;  // on the wire
  const char* name;
  TerminalText text;
  uint64_t offset = 0;
  bool finished = false;
  uint64_t unrecorded_bytes = 0;
};

Result<RecordData> fetch(Client& client, const std::string& run, const Followed& stream) {
  RecordRequest request;
  request.id = client.next_id();
  request.operation = "log";
  request.run_id = run;
  request.stream = stream.number;
  request.offset = stream.offset;
  auto answer = client.call(request.id, request);
  if (!answer) {
    Error error = answer.error();
    if (error.code == Errc::kClosed) error.code = Errc::kUnavailable;  // kClosed: nobody reads our output
    return tl::unexpected(error);
  }
  auto* data = std::get_if<RecordData>(&*answer);
  if (data == nullptr) return failure(Errc::kInvalid, "the manager answered with something else than output");
  return std::move(*data);
}

Status write(const LogsOptions& options, Followed& stream, const std::string& bytes) {
  StdioWriter stdio(STDOUT_FILENO, STDERR_FILENO, -1);
  if (options.common.format == Format::kText) {
    return stdio.write(stream.to, stream.text.feed(bytes));
  }
  Json line = {{"v", 1}, {"run_id", options.run}, {"stream", stream.name}, {"offset", stream.offset}};
  put_text(line, "data", bytes);
  return stdio.write(Stream::kOut, dump_line(line));
}

// All there is of one stream now.
Status copy(Client& client, const LogsOptions& options, Followed& stream) {
  while (true) {
    auto data = fetch(client, options.run, stream);
    if (!data) return tl::unexpected(data.error());
    const std::string& bytes = data->data.value;
    if (!bytes.empty()) {
      if (Status written = write(options, stream, bytes); !written) return written;
      stream.offset += bytes.size();
      continue;
    }
    stream.finished = data->finished;
    stream.unrecorded_bytes = data->unrecorded_bytes;
    return {};
  }
}

int show_logs(Client& client, const LogsOptions& options) {
  std::vector<Followed> streams;
  const auto add = [&](Stream to, uint32_t number, const char* name, int fd) {
    streams.push_back({to, number, name, {options.control_characters, kind_of(fd)}, options.offset});
  };
  if (options.stream != "stderr") add(Stream::kOut, 1, "stdout", STDOUT_FILENO);
  if (options.stream != "stdout") add(Stream::kErr, 2, "stderr", STDERR_FILENO);
  while (true) {
    bool finished = true;
    for (Followed& stream : streams) {
      if (const Status copied = copy(client, options, stream); !copied) {
        return copied.error().code == Errc::kClosed ? kExitOutputClosed : report(copied.error(), options.common.format);
      }
      finished = finished && stream.finished;
    }
    if (finished || !options.follow) break;
    std::this_thread::sleep_for(kFollowInterval);
  }
  for (Followed& stream : streams) {
    (void)StdioWriter(STDOUT_FILENO, STDERR_FILENO, -1).write(stream.to, stream.text.finish());
    if (stream.unrecorded_bytes == 0) continue;
    note(std::to_string(stream.unrecorded_bytes) + " more bytes of " + stream.name +
         " were not recorded (run.recorded, run.recorded_output_bytes)");
  }
  return kExitOk;
}

}  // namespace

int logs_command(const Invocation& invocation) {
  CLI::App app("Shows what a run wrote, from its record: stdout on stdout, stderr on stderr.", "capsule logs");
  app.footer(
      "Examples:\n"
      "  capsule logs RUN\n"
      "  capsule logs -f RUN                            as it comes, until the run is over\n"
      "  capsule logs --stream stdout --offset 4096 RUN");
  LogsOptions options;
  options.common.socket = invocation.socket;
  app.add_option("RUN", options.run, "Id of a run")->required();
  app.add_flag("-f,--follow", options.follow, "Go on until the run is over");
  app.add_option("--stream", options.stream, "Only this one: stdout or stderr")
      ->check(CLI::IsMember({"stdout", "stderr"}).description(""));
  add_whole_number(app, "--offset", options.offset, "Leave out so many bytes of each stream");
  add_control_options(app, options.control_characters);
  add_common_options(app, options.common);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  Result<Client> client = connect_to_manager(options.common.socket, WhenNobodyListens::kFail);
  if (!client) return report(client.error(), options.common.format);
  return show_logs(*client, options);
}

}  // namespace capsule::cli
