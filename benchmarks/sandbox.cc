// What the sandbox costs: fresh runs with nothing but a ready capsule in stock, and with nothing at all, beside a fork
// of the same interpreter that runs the same statement; and a program that only computes, inside and outside.
#include <charconv>

#include "benchmarks/interleave.h"
#include "benchmarks/runs.h"
#include "benchmarks/spin.h"
#include "benchmarks/workloads.h"

namespace capsule::bench {
namespace {

using Values = Result<std::vector<double>>;

constexpr double kFromReadyCapsule = 1.6, kFromNothing = 2.5, kComputing = 1.01;  // marks

Values runs_from(Subject& subject, size_t count) {
  std::vector<double> took_ms;
  for (size_t i = 0; i < count; ++i) {
    if (auto full = subject.wait_for_stock(); !full) return tl::unexpected(full.error());
    const auto seen =
        run_expecting(subject.client(), {.code = "1+1", .session = {}, .line = {}, .stdout_bytes = 0}, "2");
    if (!seen) return tl::unexpected(seen.error());
    if (seen->lease != "miss") return failure(Errc::kInvalid, "a worker was in stock that should not be there");
    took_ms.push_back(to_seconds(seen->took) * 1e3);
  }
  return took_ms;
}

Values computing_block(Bench& bench) {
  std::vector<double> took_s;
  for (size_t i = 0; i < bench.effort.spins; ++i) {
    const auto seen = run(bench.subject.client(),
                          {.code = std::string(kSpinProgram) + "took", .session = {}, .line = {}, .stdout_bytes = 0});
    if (!seen) return tl::unexpected(seen.error());
    double seconds = 0;
    const std::string& text = seen->result;
    if (std::from_chars(text.data(), text.data() + text.size(), seconds).ec != std::errc{} || seconds <= 0) {
      return failure(Errc::kInvalid, "the computing program answered " + text);
    }
    took_s.push_back(seconds);
  }
  if (auto full = bench.subject.wait_for_stock(); !full) return tl::unexpected(full.error());
  return took_s;
}

Figure figure(std::string name, std::string unit, Samples own, Comparison comparison) {
  Figure made;
  made.name = std::move(name);
  made.unit = std::move(unit);
  made.own = std::move(own);
  made.comparisons.push_back(std::move(comparison));
  return made;
}

}  // namespace

Result<std::vector<Figure>> measure_sandbox(Bench& bench) {
  const auto with_capsules = Subject::start({.stock = {.workers = 0, .capsules = 2}});
  if (!with_capsules) return tl::unexpected(with_capsules.error());
  const auto with_nothing = Subject::start({.stock = {.workers = 0, .capsules = 0}});
  if (!with_nothing) return tl::unexpected(with_nothing.error());
  const size_t count = bench.effort.fresh_runs;
  auto samples =
      interleave({[&] { return runs_from(**with_capsules, count); }, [&] { return runs_from(**with_nothing, count); },
                  [&] { return bench.bare_fork.runs(count); }, [&] { return computing_block(bench); },
                  [&] { return bench.bare_fork.spins(bench.effort.spins); }},
                 bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  const Samples &capsule = (*samples)[0], &nothing = (*samples)[1], &bare = (*samples)[2];
  const char* const baseline = "fork and run, no sandbox";
  return std::vector<Figure>{
      figure("fresh run of 1+1, from a ready capsule", "ms", capsule, {baseline, bare, kFromReadyCapsule}),
      figure("the same from nothing", "ms", nothing, {baseline, bare, kFromNothing}),
      figure("a program that only computes, CPU", "s", (*samples)[3], {"outside", (*samples)[4], kComputing})};
}

}  // namespace capsule::bench
