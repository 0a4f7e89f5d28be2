// How long a run takes: fresh, fresh without a pause, warm, and until a cancelled one has ended.
#include "benchmarks/interleave.h"
#include "benchmarks/places.h"
#include "benchmarks/raw_limits.h"
#include "benchmarks/runs.h"
#include "benchmarks/workloads.h"

namespace capsule::bench {
namespace {

using Values = Result<std::vector<double>>;

const std::string kCode = "1+1";
const std::string kResult = "2";

double ms(Duration took) { return to_seconds(took) * 1e3; }

// What one run leaves behind in every place it can reach, the next one must not see.
Status check_freshness(Subject& subject) {
  const RunRequest leave{.code =
                             "import builtins, os, sys\n"
                             "builtins.sentinel = sys.sentinel = sentinel = 1\n"
                             "os.environ['SENTINEL'] = '1'\n"
                             "for d in ('/tmp', '.'): open(d + '/sentinel', 'w').close()\n"
                             "1",
                         .session = {},
                         .line = {},
                         .stdout_bytes = 0};
  const RunRequest look{
      .code =
          "import builtins, os, sys\n"
          "[hasattr(builtins, 'sentinel'), hasattr(sys, 'sentinel'), 'sentinel' in globals(),\n"
          " 'SENTINEL' in os.environ, *map(os.path.exists, ('/tmp/sentinel', 'sentinel'))].count(True)",
      .session = {},
      .line = {},
      .stdout_bytes = 0};
  for (const auto& [request, result] : {std::pair(leave, "1"), std::pair(look, "0")}) {
    if (auto seen = run_expecting(subject.client(), request, result); !seen) return tl::unexpected(seen.error());
  }
  return subject.wait_for_stock();
}

enum class MustBe { kHit, kAny };

Result<RunSeen> fresh_run(Subject& subject, MustBe lease) {
  Result<RunSeen> seen =
      run_expecting(subject.client(), {.code = kCode, .session = {}, .line = {}, .stdout_bytes = 0}, kResult);
  if (seen && lease == MustBe::kHit && seen->lease != "hit") {
    return failure(Errc::kInvalid, "a fresh run was not a pool hit but a " + seen->lease);
  }
  return seen;
}

Values fresh_block(Bench& bench) {
  if (auto fresh = check_freshness(bench.subject); !fresh) return tl::unexpected(fresh.error());
  std::vector<double> took_ms;
  for (size_t i = 0; i < bench.effort.fresh_runs; ++i) {
    Result<RunSeen> seen = fresh_run(bench.subject, MustBe::kHit);
    if (!seen) return tl::unexpected(seen.error());
    took_ms.push_back(ms(seen->took));
  }
  if (auto full = bench.subject.wait_for_stock(); !full) return tl::unexpected(full.error());
  return took_ms;
}

// Programs from exec to exit.
Values program_block(Bench& bench, const std::vector<std::string>& arguments, const std::string& output) {
  std::vector<double> took_ms;
  for (size_t i = 0; i < bench.effort.programs; ++i) {
    Result<ProgramRun> seen = run_program({.arguments = arguments, .environment = {}, .error_file = {}});
    if (!seen) return tl::unexpected(seen.error());
    if (seen->wait_status != 0 || seen->output != output) {
      return failure(Errc::kInvalid, arguments.front() + " failed or printed something else: " + seen->output);
    }
    took_ms.push_back(ms(seen->took));
  }
  return took_ms;
}

Values command_block(Bench& bench) {
  Values took_ms = program_block(
      bench, {built("cli/capsule"), "run", "--socket", bench.subject.socket(), "--profile", kProfile, "-c", kCode},
      kResult + "\n");
  if (auto full = bench.subject.wait_for_stock(); !full) return tl::unexpected(full.error());
  return took_ms;
}

Values straight_block(Bench& bench) {
  const TimePoint begin = now();
  for (size_t i = 0; i < bench.effort.straight_runs; ++i) {
    if (Result<RunSeen> seen = fresh_run(bench.subject, MustBe::kAny); !seen) return tl::unexpected(seen.error());
  }
  const double each_ms = ms(now() - begin) / static_cast<double>(bench.effort.straight_runs);
  if (auto full = bench.subject.wait_for_stock(); !full) return tl::unexpected(full.error());
  return std::vector<double>{each_ms};
}

// The session must be the same one before and after.
Values warm_block(Bench& bench, const std::string& session) {
  cli::Client& client = bench.subject.client();
  const auto cell = [&](const std::string& code) {
    return RunRequest{.code = code, .session = session, .line = {}, .stdout_bytes = 0};
  };
  if (auto seen = run(client, cell("sentinel = 41")); !seen) return tl::unexpected(seen.error());
  std::vector<double> took_ms;
  for (size_t i = 0; i < bench.effort.warm_runs; ++i) {
    Result<RunSeen> seen = run_expecting(client, cell(kCode), kResult);
    if (!seen) return tl::unexpected(seen.error());
    took_ms.push_back(ms(seen->took));
  }
  if (auto seen = run_expecting(client, cell("sentinel + 1"), "42"); !seen) return tl::unexpected(seen.error());
  return took_ms;
}

Values cancel_block(Bench& bench, const std::string& session) {
  std::vector<double> took_ms;
  for (size_t i = 0; i < bench.effort.cancels; ++i) {
    const Result<Duration> took = cancel_endless_loop(bench.subject.client(), session);
    if (!took) return tl::unexpected(took.error());
    took_ms.push_back(ms(*took));
  }
  return took_ms;
}

Values interrupt_block(Bench& bench) {
  std::vector<double> took_ms;
  for (size_t i = 0; i < bench.effort.cancels; ++i) {
    const Result<double> took = bench.plain.interrupt();
    if (!took) return tl::unexpected(took.error());
    took_ms.push_back(*took);
  }
  return took_ms;
}

Figure time_of(std::string name, Samples own, std::vector<Comparison> comparisons) {
  Figure figure;
  figure.name = std::move(name);
  figure.unit = "ms";
  figure.own = std::move(own);
  figure.comparisons = std::move(comparisons);
  return figure;
}

}  // namespace

Result<std::vector<Figure>> measure_fresh(Bench& bench) {
  Result<TwoHops> hops = TwoHops::start();
  if (!hops) return tl::unexpected(hops.error());
  auto samples = interleave(
      {[&] { return fresh_block(bench); }, [&] { return command_block(bench); },
       [&] { return hops->measure(bench.effort.pings); }, [&] { return bench.bare_fork.forks(bench.effort.forks); },
       [&] {
         return program_block(bench, {kPython, "-c", "pass"}, "");
       },
       [&] {
         return program_block(bench, {kPython, "-c", "import numpy"}, "");
       }},
      bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  const auto& [client, command, raw, fork, pass, numpy] =
      std::tie((*samples)[0], (*samples)[1], (*samples)[2], (*samples)[3], (*samples)[4], (*samples)[5]);
  return std::vector<Figure>{time_of("fresh run of 1+1, pool hit", client,
                                     {{"python3 -c 'import numpy'", numpy, 0.1},
                                      {"python3 -c pass", pass, {}},
                                      {"bare fork, same heap", fork, {}},
                                      {"socketpair, two hops", raw, {}}}),
                             time_of("the same by `capsule run -c`", command,
                                     {{"python3 -c 'import numpy'", numpy, {}}, {"python3 -c pass", pass, {}}})};
}

Result<std::vector<Figure>> measure_straight(Bench& bench) {
  auto samples =
      interleave({[&] { return straight_block(bench); }, [&] { return bench.bare_fork.forks(bench.effort.forks); }},
                 bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  return std::vector<Figure>{
      time_of("fresh runs without a pause", (*samples)[0], {{"bare fork, same heap", (*samples)[1], {}}})};
}

Result<std::vector<Figure>> measure_warm(Bench& bench) {
  Result<TwoHops> hops = TwoHops::start();
  if (!hops) return tl::unexpected(hops.error());
  const Result<std::string> session = new_session(bench.subject.client());
  if (!session) return tl::unexpected(session.error());
  auto samples =
      interleave({[&] { return warm_block(bench, *session); }, [&] { return hops->measure(bench.effort.pings); },
                  [&] { return bench.notebook.round_trips(bench.effort.notebook_runs, kCode, kResult); }},
                 bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  if (auto removed = remove_session(bench.subject.client(), *session); !removed) return tl::unexpected(removed.error());
  return std::vector<Figure>{
      time_of("warm round trip of 1+1", (*samples)[0],
              {{"ipykernel", (*samples)[2], 0.05}, {"socketpair, two hops", (*samples)[1], {}}})};
}

Result<std::vector<Figure>> measure_cancel(Bench& bench) {
  const Result<std::string> session = new_session(bench.subject.client());
  if (!session) return tl::unexpected(session.error());
  auto samples = interleave({[&] { return cancel_block(bench, *session); }, [&] { return interrupt_block(bench); },
                             [&] { return bench.notebook.interrupts(bench.effort.cancels); }},
                            bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  if (auto removed = remove_session(bench.subject.client(), *session); !removed) return tl::unexpected(removed.error());
  return std::vector<Figure>{time_of("cancel of a Python loop", (*samples)[0],
                                     {{"ipykernel", (*samples)[2], {}}, {"SIGINT to a bare loop", (*samples)[1], {}}})};
}

}  // namespace capsule::bench
