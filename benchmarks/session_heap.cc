#include "benchmarks/session_heap.h"

#include "cli/document_fields.h"
#include "cli/document_request.h"

namespace capsule::bench {
namespace {

constexpr const char* kCounter = "41";
constexpr const char* kSpoil = "counter = -1\n";

std::string bytes_text(size_t heap_mb) { return std::to_string(heap_mb * 1'000'000); }

SessionRequest request_for(const std::string& operation, const std::string& session, const std::string& checkpoint) {
  SessionRequest request;
  request.operation = operation;
  request.session = session;
  request.checkpoint = checkpoint;
  return request;
}

}  // namespace

RunRequest HeapSession::cell(std::string code, std::string rollback) const {
  return {.code = std::move(code), .session = id_, .line = {}, .stdout_bytes = 0, .rollback = std::move(rollback)};
}

Result<HeapSession> HeapSession::open(cli::Client& client, size_t heap_mb, const std::string& rollback) {
  const Result<std::string> id = new_session(client, rollback);
  if (!id) return tl::unexpected(id.error());
  HeapSession session(client, *id, heap_mb);
  const std::string fill = "heap = b'x' * " + bytes_text(heap_mb) + "\ncounter = " + kCounter;
  if (auto filled = run(client, session.cell(fill, {})); !filled) return tl::unexpected(filled.error());
  return session;
}

Status HeapSession::check(const std::string& rollback) {
  const std::string is_right = "(" + bytes_text(heap_mb_) + ", " + kCounter + ")";
  const auto seen = run_expecting(client_, cell("len(heap), counter", rollback), is_right);
  return seen.map([](const RunSeen&) {});
}

Result<Ended> HeapSession::spoil(const std::string& code) { return run_to_its_end(client_, cell(kSpoil + code, {})); }

Result<Ended> HeapSession::spoil_and_cancel(const std::string& code, milliseconds head) {
  return cancel_loop(client_, {id_, kSpoil + code, head});
}

Result<Duration> HeapSession::timed(const std::string& operation, const std::string& checkpoint) {
  const TimePoint begin = now();
  const Result<std::string> document = cli::request_document(client_, request_for(operation, id_, checkpoint));
  if (!document) return tl::unexpected(document.error());
  return now() - begin;
}

Result<pid_t> HeapSession::checkpoint_pid() {
  const Result<std::string> text = cli::request_document(client_, request_for("checkpoint_ls", id_, {}));
  if (!text) return tl::unexpected(text.error());
  const Result<cli::Json> document = cli::parse_document(*text);
  if (!document) return tl::unexpected(document.error());
  for (const cli::Json& row : cli::list(*document, "checkpoints")) {
    const auto pid = static_cast<pid_t>(cli::count_field(row, "pid"));
    if (cli::text_field(row, "kind") == "checkpoint" && pid > 0) return pid;
  }
  return failure(Errc::kInvalid, "a checkpoint is not among those of its session: " + *text);
}

}  // namespace capsule::bench
