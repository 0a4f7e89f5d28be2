// Forks of live sessions, beside a bare fork of the same heap and beside the way over a pickler.
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

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
constexpr useconds_t kCapsuleUs = 50'000;  // the empty capsule that is made together with the fork takes no longer

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
      if (cli::text_field(session, "session") == source && in_advance.is_boolean() && in_advance.get<bool>()) {
        usleep(kCapsuleUs);
        return {};
      }
    }
    usleep(kLookUs);
  }
  return failure(Errc::kTimedOut, "no fork of " + source + " was made in advance");
}

// What a fork finds: a session that was never forked before, or one that was, and is at rest or has just run something.
enum class Original { kNew, kAfterRun, kForkedBefore };

constexpr std::pair<Original, const char*> kOriginals[] = {{Original::kNew, "a session's first fork, "},
                                                           {Original::kAfterRun, "a further one, right after a run, "},
                                                           {Original::kForkedBefore, "a further one, at rest, "}};

struct ForkOf {
  Original original;
  std::function<Result<std::string>()> session;  // kNew: makes one, which is removed after its fork
  std::string asked, holds;
};

// Each fork is asked for what its original holds, and removed.
Result<double> fork_and_remove(cli::Client& client, const std::string& source, const ForkOf& of) {
  const auto fork = fork_once(client, source);
  if (!fork) return tl::unexpected(fork.error());
  if (auto right = run_expecting(client, cell(fork->session, of.asked.c_str()), of.holds); !right) {
    return tl::unexpected(right.error());
  }
  if (auto gone = remove_and_wait(client, fork->session); !gone) return tl::unexpected(gone.error());
  return ms(fork->took);
}

Status prepare(cli::Client& client, const std::string& source, Original original) {
  if (original == Original::kNew) return {};
  if (auto waited = wait_for_fork_in_advance(client, source); !waited) return waited;
  if (original == Original::kForkedBefore) return {};
  return run(client, cell(source, "changed = True")).map([](const RunSeen&) {});
}

Values fork_block(cli::Client& client, const ForkOf& of, size_t count) {
  const bool is_new = of.original == Original::kNew;
  std::vector<double> took_ms;
  for (size_t i = 0; i < count; ++i) {
    const auto source = of.session();
    if (!source) return tl::unexpected(source.error());
    if (!is_new && i == 0) {  // what was made in advance may have been dropped since
      if (auto first = fork_and_remove(client, *source, of); !first) return tl::unexpected(first.error());
    }
    if (auto prepared = prepare(client, *source, of.original); !prepared) return tl::unexpected(prepared.error());
    const auto took = fork_and_remove(client, *source, of);
    if (!took) return tl::unexpected(took.error());
    took_ms.push_back(*took);
    if (!is_new) continue;
    if (auto gone = remove_and_wait(client, *source); !gone) return tl::unexpected(gone.error());
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
    for (const auto& [original, name] : kOriginals) {
      blocks.push_back([&, i, original = original] {
        const auto session = [&, i, original]() -> Result<std::string> {
          if (original != Original::kNew) return sessions[i].id();
          return HeapSession::open(client, heaps_mb[i], "off").map([](const HeapSession& made) { return made.id(); });
        };
        const std::string holds = std::to_string(heaps_mb[i] * 1'000'000);
        return fork_block(client, {original, session, "len(heap)", holds}, bench.effort.copies);
      });
    }
    blocks.push_back([&, i] { return bench.forks[i].copies(bench.effort.copies); });
  }
  const auto samples = interleave(blocks, bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  std::vector<Figure> figures;
  size_t at = 0;
  for (size_t i = 0; i < sessions.size(); ++i) {
    if (auto closed = sessions[i].close(); !closed) return tl::unexpected(closed.error());
    const Samples& bare = (*samples)[at + std::size(kOriginals)];
    for (const auto& [original, name] : kOriginals) {
      figures.push_back(
          figure_in_ms(name + heap_text(heaps_mb[i]), (*samples)[at++], {{"bare fork, same heap", bare, kBesideFork}}));
    }
    ++at;
  }
  return figures;
}

Figures pickle_figures(BranchBench& bench) {
  cli::Client& client = bench.subject.client();
  const auto with_objects = [&]() -> Result<std::string> {
    const auto session = new_session(client, "off");
    if (!session) return tl::unexpected(session.error());
    if (auto filled = run(client, cell(*session, kObjects)); !filled) return tl::unexpected(filled.error());
    return *session;
  };
  const auto session = with_objects();
  if (!session) return tl::unexpected(session.error());
  std::vector<Block> blocks;
  for (const auto& [original, name] : kOriginals) {
    const std::function<Result<std::string>()> one = [&]() -> Result<std::string> { return *session; };
    blocks.push_back([&, original = original,
                      source = original == Original::kNew ? std::function<Result<std::string>()>(with_objects) : one] {
      return fork_block(client, {original, source, kAsked, kHolds}, bench.effort.copies);
    });
  }
  blocks.push_back([&] { return durable_block(client, *session); });
  blocks.push_back([&] { return pickle_block(client, *session); });
  const auto samples = interleave(blocks, bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  if (auto removed = remove_session(client, *session); !removed) return tl::unexpected(removed.error());
  const std::string pickled = "cloudpickle, dumps and loads of the same objects";
  const Samples& plain = samples->back();
  std::vector<Figure> figures;
  for (size_t i = 0; i < std::size(kOriginals); ++i) {
    figures.push_back(figure_in_ms(std::string(kOriginals[i].second) + "100 MB of small objects", (*samples)[i],
                                   {{pickled, plain, kBesidePickle}}));
  }
  figures.push_back(figure_in_ms("durable checkpoint and a session from it, the same",
                                 (*samples)[std::size(kOriginals)], {{pickled, plain, {}}}));
  return figures;
}

}  // namespace capsule::bench
