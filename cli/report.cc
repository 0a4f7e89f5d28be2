#include "cli/report.h"

#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/posix_io.h"
#include "base/utf8.h"
#include "cli/exit_code.h"

namespace capsule::cli {

void note(std::string_view text) {
  std::string line = "capsule: ";
  for (const char c : escape_control(text)) c == '\n' ? line += "\\x0a" : line += c;
  // A stderr that cannot be written leaves nowhere to say so.
  (void)write_all(STDERR_FILENO, line + "\n");
}

int report(const Error& error, Format format) {
  if (format == Format::kText) {
    note(error.message);
  } else {
    const nlohmann::ordered_json line = {{"v", 1},
                                         {"error", {{"code", to_string(error.code)}, {"message", error.message}}}};
    (void)write_all(STDERR_FILENO, line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  return kExitUnavailable;
}

int print(std::string_view text) {
  const Status written = write_all(STDOUT_FILENO, text);
  if (written) return kExitOk;
  if (errno == EPIPE) return kExitOutputClosed;
  note("standard output: " + written.error().message);
  return kExitUnavailable;
}

}  // namespace capsule::cli
