// Copies of live sessions, as a client asks for them, and the way back to one.
#include "benchmarks/branch_parts.h"
#include "benchmarks/interleave.h"
#include "benchmarks/session_heap.h"

namespace capsule::bench {
namespace {

using Values = Result<std::vector<double>>;

constexpr double kBesideFork = 1.5;  // mark
const std::string kName = "copy";

Values copy_block(HeapSession& session, size_t count) {
  std::vector<double> took_ms;
  for (size_t i = 0; i < count; ++i) {
    if (auto right = session.check(); !right) return tl::unexpected(right.error());
    const auto took = session.timed("checkpoint", kName);
    if (!took) return tl::unexpected(took.error());
    took_ms.push_back(ms(*took));
    const auto pid = session.checkpoint_pid();
    if (!pid) return tl::unexpected(pid.error());
    if (auto removed = session.timed("checkpoint_rm", kName); !removed) return tl::unexpected(removed.error());
    if (auto ended = wait_for_end(*pid); !ended) return tl::unexpected(ended.error());
  }
  return took_ms;
}

Values back_block(HeapSession& session, const std::string& operation, const std::string& checkpoint, size_t count) {
  std::vector<double> took_ms;
  for (size_t i = 0; i < count; ++i) {
    const auto spoilt = session.spoil("pass");
    if (!spoilt) return tl::unexpected(spoilt.error());
    if (spoilt->finished.verdict != Verdict::kOk) return failure(Errc::kInvalid, "a session could not be changed");
    const auto took = session.timed(operation, checkpoint);
    if (!took) return tl::unexpected(took.error());
    took_ms.push_back(ms(*took));
    if (auto right = session.check(); !right) return tl::unexpected(right.error());
  }
  return took_ms;
}

}  // namespace

Figures copy_figures(BranchBench& bench) {
  const auto& heaps_mb = bench.effort.heaps_mb;
  const size_t count = bench.effort.copies;
  std::vector<HeapSession> sessions;
  for (const size_t heap_mb : heaps_mb) {
    Result<HeapSession> session = HeapSession::open(bench.subject.client(), heap_mb, "off");
    if (!session) return tl::unexpected(session.error());
    sessions.push_back(std::move(*session));
  }
  std::vector<Block> blocks;
  for (size_t i = 0; i < sessions.size(); ++i) {
    blocks.push_back([&, i] { return copy_block(sessions[i], count); });
    blocks.push_back([&, i] { return bench.forks[i].copies(count); });
  }
  const auto samples = interleave(blocks, bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  std::vector<Figure> figures;
  for (size_t i = 0; i < sessions.size(); ++i) {
    if (auto closed = sessions[i].close(); !closed) return tl::unexpected(closed.error());
    figures.push_back(figure_in_ms("live checkpoint, " + heap_text(heaps_mb[i]), (*samples)[2 * i],
                                   {{"bare fork, same heap", (*samples)[2 * i + 1], kBesideFork}}));
  }
  return figures;
}

Figures going_back_figures(BranchBench& bench) {
  const Effort& effort = bench.effort;
  const size_t heap_mb = effort.heaps_mb.front();
  Result<HeapSession> undone = HeapSession::open(bench.subject.client(), heap_mb, "always");
  if (!undone) return tl::unexpected(undone.error());
  Result<HeapSession> restored = HeapSession::open(bench.subject.client(), heap_mb, "off");
  if (!restored) return tl::unexpected(restored.error());
  if (auto taken = restored->timed("checkpoint", kName); !taken) return tl::unexpected(taken.error());
  const auto samples = interleave({[&] { return back_block(*undone, "undo", {}, effort.copies); },
                                   [&] { return back_block(*restored, "restore", kName, effort.copies); },
                                   [&] { return bench.forks.front().copies(effort.copies); }},
                                  effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  for (HeapSession* session : {&*undone, &*restored}) {
    if (auto closed = session->close(); !closed) return tl::unexpected(closed.error());
  }
  const Comparison fork{"bare fork, same heap", (*samples)[2], {}};
  return std::vector<Figure>{
      figure_in_ms("undo of a run, " + heap_text(heap_mb), (*samples)[0], {fork}),
      figure_in_ms("restore of a live checkpoint, " + heap_text(heap_mb), (*samples)[1], {fork})};
}

}  // namespace capsule::bench
