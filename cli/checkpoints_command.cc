#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>

#include "base/posix_io.h"
#include "base/unique_fd.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/document_request.h"
#include "cli/exit_code.h"
#include "cli/render_info.h"
#include "protocol/limits.h"

namespace capsule::cli {
namespace {

struct CheckpointOptions {
  CommonOptions common;
  std::vector<std::string> names;
  std::string name, file;
};

int show(const Result<std::string>& rendered, Format format) {
  return rendered ? print(*rendered) : report(rendered.error(), format);
}

Result<std::string> ask(Client& client, const char* operation, const std::string& name) {
  SessionRequest request;
  request.operation = operation;
  request.checkpoint = name;
  return request_document(client, std::move(request));
}

int list(Client& client, const CheckpointOptions& options) {
  const auto document = ask(client, "checkpoint_ls", {});
  if (!document) return report(document.error(), options.common.format);
  if (options.common.format == Format::kJson) return print(*document);
  return show(render_stored_checkpoints(*document), Format::kText);
}

int show_one(Client& client, const CheckpointOptions& options) {
  const auto document = ask(client, "checkpoint_show", options.name);
  if (!document) return report(document.error(), options.common.format);
  const bool is_json = options.common.format == Format::kJson;
  const int shown = is_json ? print(*document) : show(render_stored_checkpoint(*document), Format::kText);
  const auto problem = checkpoint_problem(*document);
  if (shown != kExitOk || !problem || problem->empty()) return shown;
  if (!is_json) note("'" + options.name + "' cannot be used: " + *problem);
  return kExitFailed;
}

int remove(Client& client, const CheckpointOptions& options) {
  int status = kExitOk;
  for (const std::string& name : options.names) {
    const auto document = ask(client, "checkpoint_rm", name);
    const int done = !document                                ? report(document.error(), options.common.format)
                     : options.common.format == Format::kJson ? print(*document)
                                                              : print(name + "\n");
    if (done != kExitOk) status = done;
  }
  return status;
}

// A file that is there already is not overwritten; what could not be read whole is removed.
Status export_to(Client& client, const std::string& name, int file) {
  std::string version;
  for (uint64_t at = 0;;) {
    FileGet request;
    request.id = client.next_id();
    request.checkpoint = name;
    request.offset = at;
    const auto answer = client.call(request.id, request);
    if (!answer) return tl::unexpected<Error>(answer.error());
    const auto* data = std::get_if<FileData>(&*answer);
    if (data == nullptr) return failure(Errc::kInvalid, "the manager answered with something else than a file");
    if (version.empty()) version = data->version;
    if (data->version != version) return failure(Errc::kConflict, "the checkpoint was replaced meanwhile; try again");
    if (auto written = write_all(file, data->data.value); !written) return written;
    at += data->data.value.size();
    if (at >= data->bytes || data->data.value.empty()) return {};
  }
}

int export_one(Client& client, const CheckpointOptions& options) {
  if (options.file == "-") {
    const Status done = export_to(client, options.name, STDOUT_FILENO);
    return done ? kExitOk : report(done.error(), options.common.format);
  }
  const UniqueFd file(open(options.file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return report(system_failure("create " + options.file).value(), options.common.format);
  const Status done = export_to(client, options.name, file.get());
  if (done) return kExitOk;
  unlink(options.file.c_str());
  return report(done.error(), options.common.format);
}

Status import_from(Client& client, const std::string& name, int file) {
  CheckpointPut piece;
  piece.name = name;
  std::string next(limits::kFileChunkBytes, '\0');
  const auto fill = [&]() -> Result<size_t> {
    size_t filled = 0;
    while (filled < next.size()) {
      const ssize_t got = read(file, next.data() + filled, next.size() - filled);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return system_failure("read the checkpoint");
      if (got == 0) break;
      filled += static_cast<size_t>(got);
    }
    return filled;
  };
  do {
    const auto filled = fill();
    if (!filled) return tl::unexpected<Error>(filled.error());
    piece.id = client.next_id();
    piece.data.value.assign(next.data(), *filled);
    piece.last = *filled < next.size();
    const auto answer = client.call(piece.id, piece);
    if (!answer) return tl::unexpected<Error>(answer.error());
    piece.offset += *filled;
  } while (!piece.last);
  return {};
}

int import_one(Client& client, const CheckpointOptions& options) {
  const UniqueFd file(options.file == "-" ? dup(STDIN_FILENO) : open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return report(system_failure("open " + options.file).value(), options.common.format);
  const Status done = import_from(client, options.name, file.get());
  return done ? print(options.name + "\n") : report(done.error(), options.common.format);
}

using Act = int (*)(Client&, const CheckpointOptions&);

CLI::App* add(CLI::App& app, const char* name, const char* what, const char* example) {
  CLI::App* command = app.add_subcommand(name, what);
  command->footer(std::string("Examples:\n  ") + example);
  return command;
}

std::vector<std::pair<CLI::App*, Act>> add_commands(CLI::App& app, CheckpointOptions& options) {
  CLI::App* ls = add(app, "ls", "List your durable checkpoints", "capsule checkpoints ls --json | jq .checkpoints");
  CLI::App* one = add(app, "show", "What is known of one, without loading it", "capsule checkpoints show trained");
  CLI::App* rm = add(app, "rm", "Remove checkpoints", "capsule checkpoints rm trained");
  CLI::App* out = add(app, "export", "Write one to a file, or - for standard output",
                      "capsule checkpoints export trained trained.ckpt");
  CLI::App* in = add(app, "import", "Take one in from a file, or - for standard input",
                     "capsule checkpoints import trained.ckpt trained");
  rm->add_option("NAME", options.names, "Names of checkpoints")->required();
  for (CLI::App* command : {one, out}) command->add_option("NAME", options.name, "The checkpoint's name")->required();
  for (CLI::App* command : {out, in}) command->add_option("FILE", options.file, "The file")->required();
  in->add_option("NAME", options.name, "The name it gets")->required();
  return {{ls, list}, {one, show_one}, {rm, remove}, {out, export_one}, {in, import_one}};
}

}  // namespace

int checkpoints_command(const Invocation& invocation) {
  CLI::App app("Durable checkpoints: namespaces of sessions in files.", "capsule checkpoints");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  capsule session checkpoint lab --name trained --durable\n"
      "  capsule checkpoints ls\n"
      "  capsule session new --from trained\n\n"
      "A checkpoint is as much to be trusted as the program that wrote it: restoring one runs its code, in a sandbox.");
  CheckpointOptions options{.common = {.socket = invocation.socket}, .names = {}, .name = {}, .file = {}};
  const auto commands = add_commands(app, options);
  for (const auto& [command, act] : commands) add_common_options(*command, options.common);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  Result<Client> client = connect_to_manager(options.common.socket, WhenNobodyListens::kStartPrivate);
  if (!client) return report(client.error(), options.common.format);
  for (const auto& [command, act] : commands) {
    if (command->parsed()) return act(*client, options);
  }
  return kExitUsage;
}

}  // namespace capsule::cli
