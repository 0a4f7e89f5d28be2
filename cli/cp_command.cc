#include <fcntl.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "base/utf8.h"
#include "cli/arguments.h"
#include "cli/artifacts.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/exit_code.h"
#include "protocol/file_path.h"

namespace capsule::cli {
namespace {

struct CopyOptions {
  CommonOptions common;
  std::string from, to;
  bool recursive = false;
};

struct Place {
  std::string session;  // empty: this machine
  std::string path;
};

// SESSION:PATH; what has no colon, or something else than an id before it, is a path here.
Place parse_place(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == text.npos || colon == 0) return {{}, text};
  const bool is_id = std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                                 [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  return is_id ? Place{text.substr(0, colon), text.substr(colon + 1)} : Place{{}, text};
}

std::string base_name(const std::string& path) {
  const std::filesystem::path whole(path);
  return whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
}

// "dir/" and "" take the file under its own name.
std::string target_inside(const std::string& wanted, const std::string& local) {
  if (wanted.empty() || wanted.ends_with('/')) return wanted + base_name(local);
  return wanted;
}

Status copy_in(Client& client, const CopyOptions& options, const Place& to) {
  std::vector<FilePair> files;
  if (options.recursive && std::filesystem::is_directory(options.from)) {
    auto below = files_below(options.from, target_inside(to.path, options.from));
    if (!below) return tl::unexpected<Error>(below.error());
    files = std::move(*below);
  } else {
    files.push_back({options.from, target_inside(to.path, options.from)});
    if (auto status = check_file_path(files[0].inside); !status) return status;
  }
  if (auto status = send_files(client, files); !status) return status;
  const FileStore store{.id = client.next_id(), .upload = kUpload, .session = to.session};
  const auto answer = client.call(store.id, store);
  return answer ? Status{} : tl::unexpected<Error>(answer.error());
}

Status copy_file_out(Client& client, const Place& from, std::string to) {
  if (auto status = check_file_path(from.path); !status) return status;
  const FileOrigin origin{{}, from.session};
  if (to == "-") {
    const auto read = read_file_into(client, origin, from.path, STDOUT_FILENO);
    return read ? Status{} : tl::unexpected<Error>(read.error());
  }
  if (std::filesystem::is_directory(to)) to = (std::filesystem::path(to) / base_name(from.path)).string();
  const UniqueFd file(open(to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  if (!file) return system_failure("cannot write " + to);
  struct stat facts {};
  if (fstat(file.get(), &facts) == 0 && S_ISREG(facts.st_mode) && ftruncate(file.get(), 0) != 0) {
    return system_failure("cannot write " + to);
  }
  const auto read = read_file_into(client, origin, from.path, file.get());
  if (!read) return tl::unexpected<Error>(read.error());
  if (read->executable && S_ISREG(facts.st_mode)) (void)fchmod(file.get(), facts.st_mode | 0100);
  return {};
}

int copy_tree_out(Client& client, const CopyOptions& options, Place from) {
  while (from.path.ends_with('/')) from.path.pop_back();
  const auto artifacts = fetch_tree(client, {{}, from.session}, from.path, options.to);
  if (!artifacts) return report(artifacts.error(), options.common.format);
  const bool is_whole =
      artifacts->incomplete.empty() && std::all_of(artifacts->files.begin(), artifacts->files.end(),
                                                   [](const Artifact& artifact) { return artifact.skipped.empty(); });
  if (options.common.format == Format::kJson) {
    const int printed = print(artifacts_json(*artifacts) + "\n");
    return printed != kExitOk ? printed : is_whole ? kExitOk : kExitUnavailable;
  }
  note_artifacts(*artifacts, options.to);
  return is_whole ? kExitOk : kExitUnavailable;
}

}  // namespace

int cp_command(const Invocation& invocation) {
  CLI::App app("Copies files into a session's workspace, and out of it.", "capsule cp");
  app.footer(
      "Examples:\n"
      "  capsule cp data.csv lab:                 into the workspace, under its own name\n"
      "  capsule cp data.csv lab:in/first.csv     directories are made\n"
      "  capsule cp lab:out.png plots/            and back\n"
      "  generate | capsule cp - lab:input.txt    from standard input; to standard output likewise\n"
      "  capsule cp -r src lab:src                all files of a directory\n"
      "  capsule cp -r lab:results results\n\n"
      "The session may be busy. Links are never followed; only regular files are copied.");
  CopyOptions options{.common = {.socket = invocation.socket}, .from = {}, .to = {}};
  app.add_option("FROM", options.from, "A file here, SESSION:PATH, or - for standard input")->required();
  app.add_option("TO", options.to, "A file here, SESSION:PATH, or - for standard output")->required();
  app.add_flag("-r,--recursive", options.recursive, "Copy all files of a directory");
  add_common_options(app, options.common);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  const Place from = parse_place(options.from), to = parse_place(options.to);
  if (from.session.empty() == to.session.empty()) {
    return usage_error(app, "one of the two is SESSION:PATH, the other a file here");
  }
  if (options.from == "-" && (to.path.empty() || to.path.ends_with('/'))) {
    return usage_error(app, "standard input has no name: say which the file gets");
  }
  Result<Client> client = connect_to_manager(options.common.socket, WhenNobodyListens::kFail);
  if (!client) return report(client.error(), options.common.format);
  if (from.session.empty()) {
    const Status done = copy_in(*client, options, to);
    return done ? kExitOk : report(done.error(), options.common.format);
  }
  if (options.recursive) return copy_tree_out(*client, options, from);
  const Status done = copy_file_out(*client, from, options.to);
  return done ? kExitOk : report(done.error(), options.common.format);
}

}  // namespace capsule::cli
