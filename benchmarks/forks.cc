// Forks of live sessions, beside a bare fork of the same heap and beside the way over a pickler.
#include <poll.h>
#include <unistd.h>

#include <cstdlib>

#include "benchmarks/branch_parts.h"
#include "benchmarks/interleave.h"
#include "benchmarks/session_heap.h"
#include "cli/document_fields.h"
#include "cli/document_request.h"

namespace capsule::bench {
namespace {

using Values = Result<std::vector<double>>;

constexpr double kBesideFork = 1.5, kBesidePickle = 0.01;  // marks
const std::string kDurable = "bench-durable";
constexpr seconds kInAdvancePatience{10};
constexpr useconds_t kLookUs = 2000;

struct Forked {
  Duration took{};
  std::string session;
};

Result<Forked> fork_once(cli::Client& client, const std::string& source) {
  SessionRequest request;
  request.operation = "fork";
  request.source = source;
  request.rollback = "off";
  request.count = 1;
  const TimePoint begin = now();
  const auto text = cli::request_document(client, std::move(request));
  const Duration took = now() - begin;
  if (!text) return tl::unexpected(text.error());
  const auto document = cli::parse_document(*text);
  if (!document) return tl::unexpected(document.error());
  for (const cli::Json& name : cli::list(*document, "forks")) return Forked{took, name.get<std::string>()};
  return failure(Errc::kInvalid, "the manager named no fork: " + *text);
}

RunRequest cell(const std::string& session, const char* code) {
  return {.code = code, .session = session, .line = {}, .stdout_bytes = 0};
}

Status wait_for_fork_in_advance(cli::Client& client, const std::string& source) {
  for (const TimePoint until = now() + kInAdvancePatience; now() < until;) {
    InfoRequest request;
    request.sections = {"sessions"};
    const auto document = cli::request_document(client, std::move(request)).and_then(cli::parse_document);
    if (!document) return tl::unexpected(document.error());
    for (const cli::Json& session : cli::list(*document, "sessions")) {
      const cli::Json& in_advance = cli::field(session, "fork_in_advance");
      if (cli::text_field(session, "session") == source && in_advance.is_boolean() && in_advance.get<bool>()) return {};
    }
    usleep(kLookUs);
  }
  return failure(Errc::kTimedOut, "no fork of " + source + " was made in advance");
}

// What a fork finds: a session that has just run something, or one that was forked before and has not.
enum class Original { kAfterRun, kForkedBefore };

struct ForkOf {
  Original original;
  std::string session, asked, holds;
};

// Each fork is asked for what its original holds, and removed.
Values fork_block(cli::Client& client, const ForkOf& of, size_t count) {
  std::vector<double> took_ms;
  for (size_t i = 0; i < count; ++i) {
    if (of.original == Original::kAfterRun) {
      if (auto changed = run(client, cell(of.session, "changed = True")); !changed) {
        return tl::unexpected(changed.error());
      }
    } else if (auto waited = wait_for_fork_in_advance(client, of.session); !waited) {
      return tl::unexpected(waited.error());
    }
    const auto fork = fork_once(client, of.session);
    if (!fork) return tl::unexpected(fork.error());
    took_ms.push_back(ms(fork->took));
    auto right = run_expecting(client, cell(fork->session, of.asked.c_str()), of.holds);
    if (!right) return tl::unexpected(right.error());
    if (auto gone = remove_and_wait(client, fork->session); !gone) return tl::unexpected(gone.error());
  }
  return took_ms;
}

// Small objects: dictionaries, strings, numbers.
constexpr const char* kObjects =
    "import cloudpickle, time\n"
    "objects = [{'id': i, 'name': f'object {i}', 'value': i * 0.5} for i in range(300_000)]";
constexpr const char* kAsked = "len(objects), objects[-1]['name']";
constexpr const char* kHolds = "(300000, 'object 299999')";
constexpr const char* kPickled =
    "begin = time.perf_counter()\n"
    "copy = cloudpickle.loads(cloudpickle.dumps(objects))\n"
    "took = time.perf_counter() - begin\n"
    "del copy\n"
    "took * 1000";

Values pickle_block(cli::Client& client, const std::string& session) {
  const auto seen = run(client, cell(session, kPickled));
  if (!seen) return tl::unexpected(seen.error());
  const double took_ms = std::strtod(seen->result.c_str(), nullptr);
  if (took_ms <= 0) return failure(Errc::kInvalid, "cloudpickle took no time: " + seen->result);
  return std::vector<double>{took_ms};
}

Result<Duration> timed(cli::Client& client, SessionRequest request) {
  const TimePoint begin = now();
  const auto text = cli::request_document(client, std::move(request));
  if (!text) return tl::unexpected(text.error());
  return now() - begin;
}

SessionRequest asking(const std::string& operation, const std::string& session, const std::string& checkpoint) {
  SessionRequest request;
  request.operation = operation;
  request.session = session;
  request.checkpoint = checkpoint;
  return request;
}

// To a file, and from it into a new session.
Values durable_block(cli::Client& client, const std::string& session) {
  SessionRequest save = asking("checkpoint", session, kDurable);
  save.durable = true;
  const auto saved = timed(client, std::move(save));
  if (!saved) return tl::unexpected(saved.error());
  const std::string copy = kDurable + "-copy";
  const auto restored = timed(client, asking("new", copy, kDurable));
  if (!restored) return tl::unexpected(restored.error());
  if (auto right = run_expecting(client, cell(copy, kAsked), kHolds); !right) return tl::unexpected(right.error());
  if (auto gone = remove_and_wait(client, copy); !gone) return tl::unexpected(gone.error());
  if (auto removed = timed(client, asking("checkpoint_rm", {}, kDurable)); !removed) {
    return tl::unexpected(removed.error());
  }
  return std::vector<double>{ms(*saved + *restored)};
}

}  // namespace

Figures fork_figures(BranchBench& bench) {
  const auto& heaps_mb = bench.effort.heaps_mb;
  cli::Client& client = bench.subject.client();
  std::vector<HeapSession> sessions;
  std::vector<Block> blocks;
  for (const size_t heap_mb : heaps_mb) {
    Result<HeapSession> session = HeapSession::open(client, heap_mb, "off");
    if (!session) return tl::unexpected(session.error());
    sessions.push_back(std::move(*session));
  }
  for (size_t i = 0; i < sessions.size(); ++i) {
    for (const Original original : {Original::kAfterRun, Original::kForkedBefore}) {
      blocks.push_back([&, i, original] {
        const std::string holds = std::to_string(heaps_mb[i] * 1'000'000);
        return fork_block(client, {original, sessions[i].id(), "len(heap)", holds}, bench.effort.copies);
      });
    }
    blocks.push_back([&, i] { return bench.forks[i].copies(bench.effort.copies); });
  }
  const auto samples = interleave(blocks, bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  std::vector<Figure> figures;
  for (size_t i = 0; i < sessions.size(); ++i) {
    if (auto closed = sessions[i].close(); !closed) return tl::unexpected(closed.error());
    const Samples& bare = (*samples)[3 * i + 2];
    figures.push_back(figure_in_ms("fork of a session after a run, " + heap_text(heaps_mb[i]), (*samples)[3 * i],
                                   {{"bare fork, same heap", bare, kBesideFork}}));
    figures.push_back(figure_in_ms("fork of a session forked before, " + heap_text(heaps_mb[i]), (*samples)[3 * i + 1],
                                   {{"bare fork, same heap", bare, kBesideFork}}));
  }
  return figures;
}

Figures pickle_figures(BranchBench& bench) {
  cli::Client& client = bench.subject.client();
  const size_t copies = bench.effort.copies;
  const auto session = new_session(client, "off");
  if (!session) return tl::unexpected(session.error());
  if (auto filled = run(client, cell(*session, kObjects)); !filled) return tl::unexpected(filled.error());
  const auto samples =
      interleave({[&] {
                    return fork_block(client, {Original::kAfterRun, *session, kAsked, kHolds}, copies);
                  },
                  [&] {
                    return fork_block(client, {Original::kForkedBefore, *session, kAsked, kHolds}, copies);
                  },
                  [&] { return durable_block(client, *session); }, [&] { return pickle_block(client, *session); }},
                 bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  if (auto removed = remove_session(client, *session); !removed) return tl::unexpected(removed.error());
  const std::string pickled = "cloudpickle, dumps and loads of the same objects";
  const Samples& plain = (*samples)[3];
  return std::vector<Figure>{
      figure_in_ms("fork of a session after a run, 100 MB of small objects", (*samples)[0],
                   {{pickled, plain, kBesidePickle}}),
      figure_in_ms("fork of a session forked before, the same", (*samples)[1], {{pickled, plain, kBesidePickle}}),
      figure_in_ms("durable checkpoint and a session from it, the same", (*samples)[2], {{pickled, plain, {}}})};
}

}  // namespace capsule::bench
