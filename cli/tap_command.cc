// `tap`: the frames between the manager and a session's worker, as they pass.
#include <CLI/CLI.hpp>

#include "base/utf8.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/exit_code.h"
#include "cli/run_json.h"

namespace capsule::cli {
namespace {

constexpr seconds kLook{3600};  // a session that does nothing has no frames

struct TapOptions {
  CommonOptions common;
  std::string session;
  uint64_t frames = 0;  // 0: until it ends
};

std::string text_line(const Tapped& frame) {
  std::string kind = escape_control(frame.kind), bytes = std::to_string(frame.bytes);
  kind.resize(std::max<size_t>(kind.size(), 10), ' ');
  if (bytes.size() < 9) bytes.insert(0, 9 - bytes.size(), ' ');
  return format_utc(frame.wall_us / 1000) + (frame.direction == "in" ? "  <- " : "  -> ") + kind + bytes + " B  " +
         escape_control(frame.run_id) + "\n";
}

std::string json_line(const Tapped& frame) {
  return dump_line({{"v", 1},
                    {"session", frame.session},
                    {"seq", frame.seq},
                    {"wall_us", frame.wall_us},
                    {"direction", frame.direction},
                    {"kind", frame.kind},
                    {"bytes", frame.bytes},
                    {"run_id", frame.run_id.empty() ? Json(nullptr) : Json(frame.run_id)}});
}

int show(const TapOptions& options, const Tapped& frame, uint64_t& last_seq) {
  const bool is_text = options.common.format == Format::kText;
  if (is_text && frame.seq > last_seq + 1) note(std::to_string(frame.seq - last_seq - 1) + " frames were left out");
  last_seq = frame.seq;
  return print(is_text ? text_line(frame) : json_line(frame));
}

int watch(Client& client, const TapOptions& options) {
  Tap request;
  request.id = client.next_id();
  request.session = options.session;
  request.on = true;
  const Result<Message> begun = client.call(request.id, request);
  if (!begun) return report(begun.error(), options.common.format);
  uint64_t last_seq = 0;
  for (uint64_t shown = 0; options.frames == 0 || shown < options.frames;) {
    const Result<Message> message = client.receive(now() + kLook);
    if (!message && message.error().code == Errc::kTimedOut) continue;
    if (!message) return report(message.error(), options.common.format);
    if (const auto* ended = std::get_if<ErrorReply>(&*message)) {
      if (ended->code != to_string(Errc::kClosed)) return report(error_from(*ended), options.common.format);
      note(ended->message);
      return kExitOk;
    }
    const auto* frame = std::get_if<Tapped>(&*message);
    if (frame == nullptr) continue;
    ++shown;
    if (const int printed = show(options, *frame, last_seq); printed != kExitOk) return printed;
  }
  return kExitOk;
}

}  // namespace

int tap_command(const Invocation& invocation) {
  CLI::App app(
      "Shows each frame between the manager and a session's worker as it passes: what it is, never what is in it. Ends "
      "with the session. A frame to the worker is ->, one from it <-.",
      "capsule tap");
  app.footer(
      "Examples:\n"
      "  capsule tap SESSION\n"
      "  capsule tap --json -n 20 SESSION | jq -c '[.kind, .bytes]'");
  TapOptions options;
  options.common.socket = invocation.socket;
  app.add_option("SESSION", options.session, "Name of a session")->required();
  add_whole_number(app, "-n,--frames", options.frames, "End after so many frames");
  add_common_options(app, options.common);
  if (const auto status = parse_arguments(app, invocation.arguments)) return *status;
  Result<Client> client = connect_to_manager(options.common.socket, WhenNobodyListens::kFail);
  if (!client) return report(client.error(), options.common.format);
  return watch(*client, options);
}

}  // namespace capsule::cli
