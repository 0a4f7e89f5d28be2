#include "cli/run_request.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/bytes.h"
#include "base/unique_fd.h"
#include "base/utf8.h"
#include "cli/file_transfer.h"
#include "protocol/limits.h"

namespace capsule::cli {
namespace {

constexpr size_t kRequestRoomBytes = 64u << 10;  // of a frame, for all that is neither code nor arguments

Result<std::string> read_to_end(int fd, const std::string& name) {
  std::string code;
  std::array<char, 64 << 10> block;
  for (;;) {
    const ssize_t got = read(fd, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("read " + name);
    if (got == 0) return code;
    code.append(block.data(), static_cast<size_t>(got));
    if (code.size() > limits::kCodeBytes) {
      return failure(Errc::kTooLarge, name + " is longer than " + format_bytes(limits::kCodeBytes));
    }
  }
}

Status check_text(const std::string& text, const std::string& what, size_t limit) {
  if (!is_valid_utf8(text)) return failure(Errc::kInvalid, what + " is not UTF-8");
  if (text.size() > limit) return failure(Errc::kTooLarge, what + " is longer than " + format_bytes(limit));
  return {};
}

Status check_program_arguments(const std::vector<std::string>& arguments) {
  if (arguments.size() > limits::kArguments) {
    return failure(Errc::kTooLarge, "more than " + std::to_string(limits::kArguments) + " program arguments");
  }
  size_t total = kRequestRoomBytes + limits::kCodeBytes;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string what = "program argument " + std::to_string(i + 1);
    if (auto status = check_text(arguments[i], what, limits::kStringBytes); !status) return status;
    total += arguments[i].size() + 5;  // and the longest msgpack header of a string
  }
  if (total > limits::kFrameBytes) return failure(Errc::kTooLarge, "the program arguments are too long together");
  return {};
}

}  // namespace

Status check_run_options(const RunOptions& options) {
  if (options.code && !options.file.empty()) return failure(Errc::kInvalid, "give either -c CODE or a file, not both");
  if (!options.code && options.file.empty()) {
    return failure(Errc::kInvalid, "nothing to run: give a file, - for standard input, or -c CODE");
  }
  if (options.code && options.code->size() > limits::kCodeBytes) {
    return failure(Errc::kTooLarge, "the code is longer than " + format_bytes(limits::kCodeBytes));
  }
  if (options.file == "-" && options.standard_input == StandardInput::kForward) {
    return failure(Errc::kInvalid, "standard input cannot be both the code and the program's input");
  }
  for (const auto& [text, what] : {std::pair{&options.session, "the session"}, {&options.profile, "the profile"}}) {
    if (auto status = check_text(*text, what, limits::kIdBytes); !status) return status;
  }
  const Status named = check_text(options.request_id, "the request id", limits::kRequestIdBytes);
  if (!named) return named;
  for (const std::string& file : options.files) {
    if (auto pair = parse_file_option(file); !pair) return tl::unexpected(pair.error());
  }
  return check_program_arguments(options.program_arguments);
}

Execute execute_from(const RunOptions& options) {
  Execute request;
  const bool is_cell = !options.session.empty();
  request.session = options.session;
  request.profile = options.profile;
  request.mode = is_cell ? "cell" : "script";
  if (options.code) {
    request.filename = is_cell ? "" : "<string>";  // cells get their number as a name
  } else if (options.file == "-") {
    request.filename = is_cell ? "" : "<stdin>";
  } else {
    request.filename = replace_invalid_utf8(options.file.substr(0, limits::kFilenameBytes / 4));
  }
  request.arguments = options.program_arguments;
  const bool forwards_by_default = !is_cell && options.file != "-";
  request.standard_input = options.standard_input == StandardInput::kForward ||
                           (options.standard_input == StandardInput::kDefault && forwards_by_default);
  request.timeout_ms = options.timeout_ms;
  request.output_bytes = options.output_bytes;
  request.output_policy = options.output_policy;
  request.cpu_ms = options.cpu_ms;
  request.memory_bytes = options.memory_bytes;
  request.processes = options.processes;
  request.open_files = options.open_files;
  request.workspace_bytes = options.workspace_bytes;
  request.workspace_files = options.workspace_files;
  request.require = options.require;
  request.rollback = options.rollback;
  request.request_id = options.request_id;
  // What is in the environment may be anything, and is then no context.
  const bool can_be_sent =
      options.traceparent.size() <= limits::kTraceparentBytes && is_valid_utf8(options.traceparent);
  if (can_be_sent) request.traceparent = options.traceparent;
  request.upload = options.files.empty() ? 0 : kUpload;
  request.artifacts = !options.artifacts_dir.empty();
  return request;
}

Result<std::string> read_code(const RunOptions& options, int stdin_fd) {
  if (options.code) return *options.code;
  if (options.file == "-") return read_to_end(stdin_fd, "standard input");
  const UniqueFd file(open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return system_failure("cannot read " + options.file);
  return read_to_end(file.get(), options.file);
}

ResultText result_text_for(const RunOptions& options) {
  switch (options.show_result) {
    case ShowResult::kAlways: return ResultText::kShow;
    case ShowResult::kNever: return ResultText::kHide;
    case ShowResult::kAuto: break;
  }
  const bool is_program_file = options.session.empty() && !options.code && options.file != "-";
  return is_program_file ? ResultText::kHide : ResultText::kShow;
}

}  // namespace capsule::cli
