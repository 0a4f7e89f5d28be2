#include "benchmarks/runs.h"

#include <poll.h>
#include <unistd.h>

#include "benchmarks/line_check.h"
#include "benchmarks/subject.h"
#include "cli/document_fields.h"
#include "cli/document_request.h"

namespace capsule::bench {
namespace {

constexpr milliseconds kLoopHead{5};  // of a Python loop
constexpr seconds kEndPatience{10};
constexpr milliseconds kEndInterval{1};

Execute execute_for(cli::Client& client, const RunRequest& request) {
  Execute execute;
  execute.id = client.next_id();
  execute.session = request.session;
  execute.profile = request.session.empty() ? kProfile : "";
  execute.mode = request.session.empty() ? "script" : "cell";
  execute.code = {request.code};
  execute.filename = "<bench>";
  execute.rollback = request.rollback;
  return execute;
}

tl::unexpected<Error> wrong(const std::string& what) { return failure(Errc::kInvalid, what); }

// A run seen from outside, message by message.
struct Following {
  explicit Following(std::string_view line) : stdout_check(line) {}

  std::string run_id, lease, result;
  LineCheck stdout_check;
  bool stdout_is_right = true;
  std::string stderr_text;
  std::optional<Finished> finished;
  std::optional<Error> refused;

  void take(Message& message) {
    if (auto* accepted = std::get_if<Accepted>(&message)) run_id = std::move(accepted->run_id);
    if (auto* started = std::get_if<Started>(&message)) lease = std::move(started->lease);
    if (auto* output = std::get_if<Output>(&message)) take_output(*output);
    if (auto* value = std::get_if<ResultValue>(&message)) result = std::move(value->data["text/plain"].value);
    if (auto* end = std::get_if<Finished>(&message)) finished = std::move(*end);
    if (auto* refusal = std::get_if<ErrorReply>(&message)) refused = cli::error_from(*refusal);
  }

  void take_output(const Output& output) {
    if (output.stream == 2) {
      stderr_text += output.data.value;
    } else {
      stdout_is_right =
          stdout_is_right && output.offset == stdout_check.bytes() && stdout_check.feed(output.data.value);
    }
  }
};

// Until `done` says so, or the run has ended.
template <class Done>
Status follow(cli::Client& client, Following& seen, const Done& done) {
  const TimePoint deadline = now() + kRunTimeout;
  while (!seen.finished && !done(seen)) {
    Result<Message> message = client.receive(deadline);
    if (!message) return tl::unexpected(message.error());
    seen.take(*message);
    if (seen.refused) return tl::unexpected(*seen.refused);
  }
  return {};
}

bool never(const Following&) { return false; }

Result<Duration> follow_whole_run(cli::Client& client, const RunRequest& request, Following& seen) {
  const TimePoint begin = now();
  client.queue(execute_for(client, request));
  if (auto followed = follow(client, seen, never); !followed) return tl::unexpected(followed.error());
  return now() - begin;
}

Status check(const Following& seen, const RunRequest& request) {
  const Finished& end = *seen.finished;
  if (end.verdict != Verdict::kOk) {
    return wrong("a run ended as " + std::string(to_string(end.verdict)) + " " + end.evidence.detail +
                 (end.error ? end.error->name + ": " + end.error->value : "") + ": " + request.code);
  }
  if (!seen.stdout_is_right || seen.stdout_check.bytes() != request.stdout_bytes) {
    return wrong("stdout of a run is not what it printed: " + std::to_string(seen.stdout_check.bytes()) + " of " +
                 std::to_string(request.stdout_bytes) + " bytes arrived");
  }
  if (!seen.stderr_text.empty()) return wrong("a run wrote to stderr: " + seen.stderr_text);
  return {};
}

}  // namespace

Result<Ended> run_to_its_end(cli::Client& client, const RunRequest& request) {
  Following seen(request.line);
  const Result<Duration> took = follow_whole_run(client, request, seen);
  if (!took) return tl::unexpected(took.error());
  return Ended{*took, std::move(*seen.finished)};
}

Result<RunSeen> run(cli::Client& client, const RunRequest& request) {
  Following seen(request.line);
  const Result<Duration> took = follow_whole_run(client, request, seen);
  if (!took) return tl::unexpected(took.error());
  if (auto right = check(seen, request); !right) return tl::unexpected(right.error());
  return RunSeen{*took, std::move(seen.lease), std::move(seen.result)};
}

Result<Duration> flood(cli::Client& client, const FloodRequest& request) {
  const TimePoint begin = now();
  size_t sent = 0, ended = 0, right = 0;
  while (ended < request.count) {
    for (; sent < request.count && sent - ended < request.at_once; ++sent) {
      const std::string session = request.sessions.empty() ? "" : request.sessions[sent % request.sessions.size()];
      client.queue(execute_for(client, {.code = request.code, .session = session, .line = {}, .stdout_bytes = 0}));
    }
    Result<Message> message = client.receive(now() + kRunTimeout);
    if (!message) return tl::unexpected(message.error());
    if (const auto* refusal = std::get_if<ErrorReply>(&*message)) return tl::unexpected(cli::error_from(*refusal));
    if (auto* value = std::get_if<ResultValue>(&*message)) right += value->data["text/plain"].value == request.result;
    if (const auto* end = std::get_if<Finished>(&*message)) {
      if (end->verdict != Verdict::kOk) return wrong("a run ended as " + std::string(to_string(end->verdict)));
      ++ended;
    }
  }
  if (right != request.count) return wrong("a run's value was not " + request.result);
  return now() - begin;
}

Result<RunSeen> run_expecting(cli::Client& client, const RunRequest& request, const std::string& result) {
  Result<RunSeen> seen = run(client, request);
  if (seen && seen->result != result) {
    return wrong("`" + request.code + "` gave " + seen->result + " instead of " + result);
  }
  return seen;
}

Result<Ended> cancel_loop(cli::Client& client, const LoopRequest& loop) {
  constexpr std::string_view kMark = "round\n";
  const RunRequest request{.code = loop.code, .session = loop.session, .line = kMark, .stdout_bytes = 0};
  Following seen(kMark);
  client.queue(execute_for(client, request));
  const auto goes_round = [&](const Following& f) { return f.stdout_check.bytes() == kMark.size(); };
  if (auto followed = follow(client, seen, goes_round); !followed) return tl::unexpected(followed.error());
  poll(nullptr, 0, static_cast<int>(loop.head.count()));
  const TimePoint begin = now();
  Cancel cancel;
  cancel.id = client.next_id();
  cancel.run_id = seen.run_id;
  client.queue(cancel);
  if (auto followed = follow(client, seen, never); !followed) return tl::unexpected(followed.error());
  return Ended{now() - begin, std::move(*seen.finished)};
}

Result<Duration> cancel_endless_loop(cli::Client& client, const std::string& session) {
  const Result<Ended> ended = cancel_loop(client, {session, std::string(kTellRound) + "while True: pass", kLoopHead});
  if (!ended) return tl::unexpected(ended.error());
  const Finished& end = ended->finished;
  if (end.verdict != Verdict::kCancelled || end.evidence.rung != "interrupt" || end.evidence.session_state != "kept") {
    return wrong("a cancelled loop ended as " + std::string(to_string(end.verdict)) + " by " + end.evidence.rung +
                 ", its session " + end.evidence.session_state);
  }
  return ended->took;
}

Result<std::string> new_session(cli::Client& client, const std::string& rollback) {
  SessionRequest request;
  request.operation = "new";
  request.profile = kProfile;
  request.rollback = rollback;
  const Result<std::string> document = cli::request_document(client, std::move(request));
  if (!document) return document;
  return cli::parse_document(*document).map([](const cli::Json& parsed) { return cli::text_field(parsed, "session"); });
}

Status remove_session(cli::Client& client, const std::string& session) {
  SessionRequest request;
  request.operation = "rm";
  request.session = session;
  const Result<std::string> document = cli::request_document(client, std::move(request));
  if (!document) return tl::unexpected(document.error());
  return {};
}

Status wait_for_end(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid);
  const TimePoint deadline = now() + kEndPatience;
  while (access(directory.c_str(), F_OK) == 0) {
    if (now() >= deadline) return failure(Errc::kTimedOut, "a copy that was removed is still there");
    poll(nullptr, 0, static_cast<int>(kEndInterval.count()));
  }
  return {};
}

Status remove_and_wait(cli::Client& client, const std::string& session) {
  SessionRequest request;
  request.operation = "ls";
  const Result<std::string> text = cli::request_document(client, std::move(request));
  if (!text) return tl::unexpected(text.error());
  const Result<cli::Json> document = cli::parse_document(*text);
  if (!document) return tl::unexpected(document.error());
  pid_t worker = 0;
  for (const cli::Json& row : cli::list(*document, "sessions")) {
    if (cli::text_field(row, "session") == session) worker = static_cast<pid_t>(cli::count_field(row, "worker_pid"));
  }
  if (worker == 0) return wrong("session " + session + " has no worker: " + *text);
  if (auto removed = remove_session(client, session); !removed) return removed;
  return wait_for_end(worker);
}

}  // namespace capsule::bench
