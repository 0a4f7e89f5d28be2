// Sessions that lose their worker and go back: how long that takes, and what it costs those that never need it.
#include <poll.h>
#include <signal.h>

#include "benchmarks/branch_parts.h"
#include "benchmarks/interleave.h"
#include "benchmarks/raw_limits.h"
#include "benchmarks/session_heap.h"

namespace capsule::bench {
namespace {

using Values = Result<std::vector<double>>;

constexpr double kLargeHeap = 1.5, kIdlePolicy = 0.9, kBeyondGraceMs = 50;  // marks
constexpr milliseconds kSnapshotPause{100};  // an idle session takes its snapshot meanwhile
constexpr size_t kRateRuns = 2;              // times effort.warm_runs
constexpr size_t kAlwaysShare = 10;          // runs under `always` are so many times fewer
constexpr milliseconds kLoopHead{50};        // Python must have entered the loop, on a busy machine too
const std::string kHops = "socketpair, two hops";

// It lost its worker in the way that was meant, and answers from a snapshot.
Status check_rolled_back(const Finished& end, Verdict verdict) {
  const Evidence& evidence = end.evidence;
  if (end.verdict == verdict && evidence.session_state == "rolled_back" && evidence.rollback &&
      !evidence.rollback->snapshot.empty() && evidence.rollback->took_us > 0) {
    return {};
  }
  return failure(Errc::kInvalid, "a run that was to end as " + std::string(to_string(verdict)) + " ended as " +
                                     std::string(to_string(end.verdict)) + ", its session " + evidence.session_state +
                                     " " + evidence.detail);
}

// A session whose worker is killed again and again; what its client saw of that, warm-up included.
struct Crashing {
  HeapSession session;
  Samples whole_runs = {};

  // The snapshot is taken before the check, so that the run that dies does not wait for one.
  Values block(size_t count) {
    std::vector<double> rollback_ms, whole_ms;
    for (size_t i = 0; i < count; ++i) {
      if (auto right = session.check("always"); !right) return tl::unexpected(right.error());
      const auto ended = session.spoil("import os\nos.kill(os.getpid(), 9)");
      if (!ended) return tl::unexpected(ended.error());
      if (auto back = check_rolled_back(ended->finished, Verdict::kCrashed); !back) return tl::unexpected(back.error());
      rollback_ms.push_back(static_cast<double>(ended->finished.evidence.rollback->took_us) / 1e3);
      whole_ms.push_back(ms(ended->took));
    }
    if (auto right = session.check(); !right) return tl::unexpected(right.error());
    whole_runs.rounds.push_back(std::move(whole_ms));
    return rollback_ms;
  }

  Samples whole_runs_without_warm_up() const { return {{whole_runs.rounds.begin() + 1, whole_runs.rounds.end()}}; }
};

Values hard_cancel_block(HeapSession& session, size_t count) {
  const std::string in_c = std::string("import itertools\n") + kTellRound + "sum(itertools.repeat(0))";
  std::vector<double> beyond_ms;
  for (size_t i = 0; i < count; ++i) {
    if (auto right = session.check("always"); !right) return tl::unexpected(right.error());
    const auto ended = session.spoil_and_cancel(in_c, kLoopHead);
    if (!ended) return tl::unexpected(ended.error());
    if (auto back = check_rolled_back(ended->finished, Verdict::kCancelled); !back) return tl::unexpected(back.error());
    if (ended->took < kGrace || ended->finished.evidence.rung != "kill") {
      return failure(Errc::kInvalid, "a loop in C ended before its grace, by " + ended->finished.evidence.rung);
    }
    beyond_ms.push_back(ms(ended->took - kGrace));
  }
  if (auto right = session.check(); !right) return tl::unexpected(right.error());
  return beyond_ms;
}

Values rate_block(cli::Client& client, const std::string& session, size_t count) {
  const TimePoint begin = now();
  for (size_t i = 0; i < count; ++i) {
    auto seen = run_expecting(client, {.code = "1+1", .session = session, .line = {}, .stdout_bytes = 0}, "2");
    if (!seen) return tl::unexpected(seen.error());
  }
  const double rate = static_cast<double>(count) / to_seconds(now() - begin);
  poll(nullptr, 0, static_cast<int>(kSnapshotPause.count()));  // its snapshot must not fall on the next subject
  return std::vector<double>{rate};
}

Figure rate_figure(std::string name, Samples own, Comparison comparison) {
  Figure made = figure_in_ms(std::move(name), std::move(own), {std::move(comparison)});
  made.unit = "1/s";
  made.better = Better::kMore;
  return made;
}

}  // namespace

Figures rollback_figures(BranchBench& bench) {
  const Effort& effort = bench.effort;
  const size_t small_mb = effort.heaps_mb.front(), large_mb = effort.heaps_mb.back();
  auto small_session = HeapSession::open(bench.subject.client(), small_mb, "idle");
  if (!small_session) return tl::unexpected(small_session.error());
  auto large_session = HeapSession::open(bench.subject.client(), large_mb, "idle");
  if (!large_session) return tl::unexpected(large_session.error());
  Result<TwoHops> hops = TwoHops::start();
  if (!hops) return tl::unexpected(hops.error());
  Crashing small{std::move(*small_session)}, large{std::move(*large_session)};
  auto samples = interleave(
      {[&] { return small.block(effort.crashes); }, [&] { return large.block(effort.crashes); },
       [&] { return hops->measure(effort.pings); }, [&] { return bench.forks.front().kills(effort.crashes); },
       [&] { return bench.forks.back().kills(effort.crashes); }},
      effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  for (Crashing* each : {&small, &large}) {
    if (auto closed = each->session.close(); !closed) return tl::unexpected(closed.error());
  }
  const std::string in_small = ", " + heap_text(small_mb), in_large = ", " + heap_text(large_mb);
  const Samples small_runs = small.whole_runs_without_warm_up(), &raw = (*samples)[2];
  const std::string killed = "SIGKILL to the end of a bare fork";
  Figures figures = std::vector<Figure>{
      figure_in_ms("rollback after SIGKILL" + in_small, (*samples)[0], {{kHops, raw, {}}}),
      figure_in_ms("rollback after SIGKILL" + in_large, (*samples)[1],
                   {{"the same" + in_small, (*samples)[0], kLargeHeap}, {kHops, raw, {}}}),
      figure_in_ms("the whole run that ends so" + in_small, small_runs, {{killed + in_small, (*samples)[3], {}}}),
      figure_in_ms("the whole run that ends so" + in_large, large.whole_runs_without_warm_up(),
                   {{"the same" + in_small, small_runs, {}}, {killed + in_large, (*samples)[4], {}}})};
  figures->back().notes.push_back(
      "A rollback begins with the kernel's word that the worker ended. Before that the kernel takes its memory down, "
      "which grows with the heap: the whole run shows both.");
  return figures;
}

Figures hard_cancel_figures(BranchBench& bench) {
  const Effort& effort = bench.effort;
  const size_t heap_mb = effort.heaps_mb.front();
  auto session = HeapSession::open(bench.subject.client(), heap_mb, "idle");
  if (!session) return tl::unexpected(session.error());
  auto samples = interleave({[&] { return hard_cancel_block(*session, effort.hard_cancels); },
                             [&] { return bench.forks.front().kills(effort.crashes); }},
                            effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  if (auto closed = session->close(); !closed) return tl::unexpected(closed.error());
  Figure cancel = figure_in_ms("hard cancel of a loop in C, beyond the grace", (*samples)[0],
                               {{"SIGKILL to the end of a bare fork", (*samples)[1], {}}});
  cancel.mark = kBeyondGraceMs;
  return std::vector<Figure>{std::move(cancel)};
}

Figures policy_figures(BranchBench& bench) {
  cli::Client& client = bench.subject.client();
  std::vector<std::string> sessions;
  for (const char* policy : {"off", "idle", "always"}) {
    Result<std::string> session = new_session(client, policy);
    if (!session) return tl::unexpected(session.error());
    sessions.push_back(std::move(*session));
  }
  const size_t runs = kRateRuns * bench.effort.warm_runs, few = runs / kAlwaysShare + 1;
  auto samples = interleave(
      {[&] { return rate_block(client, sessions[0], runs); }, [&] { return rate_block(client, sessions[1], runs); },
       [&] { return rate_block(client, sessions[2], few); }},
      bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  for (const std::string& session : sessions) {
    if (auto removed = remove_session(client, session); !removed) return tl::unexpected(removed.error());
  }
  const Samples& off = (*samples)[0];
  return std::vector<Figure>{
      rate_figure("1+1 without a pause, rollback = idle", (*samples)[1], {"rollback = off", off, kIdlePolicy}),
      rate_figure("the same, rollback = always", (*samples)[2], {"rollback = off", off, {}})};
}

Figures measure_branches(Bench& bench) {
  const auto modules = bench.subject.preload();
  if (!modules) return tl::unexpected(modules.error());
  BranchBench branches{bench.effort, bench.subject, {}};
  for (const size_t heap_mb : bench.effort.heaps_mb) {
    Result<BareFork> bare = BareFork::start(*modules);
    if (!bare) return tl::unexpected(bare.error());
    if (auto filled = bare->set_heap(heap_mb); !filled) return tl::unexpected(filled.error());
    branches.forks.push_back(std::move(*bare));
  }
  std::vector<Figure> all;
  for (auto* part : {rollback_figures, hard_cancel_figures, policy_figures, copy_figures, going_back_figures,
                     fork_figures, pickle_figures}) {
    Figures figures = part(branches);
    if (!figures) return figures;
    std::move(figures->begin(), figures->end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace capsule::bench
