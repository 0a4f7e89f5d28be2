// capsule_bench: how fast and how small Capsule is, beside what the kernel, Python and ipykernel do on the same
// machine in the same minutes. Workloads (name one or more on the command line; all by default):
//
//   memory    private memory of an idle `data` worker with its keeper     beside an ipykernel
//   fresh     a fresh one-shot run of 1+1 in `data`, a pool hit           beside python3 -c pass, python3 -c 'import
//                                                                         numpy', a bare fork, a socketpair
//   straight  fresh runs one after the other, refilling included          beside a bare fork
//   sandbox   fresh runs from a ready capsule and from nothing            beside a fork of the interpreter that runs it
//             computing                                                   beside the same outside
//   warm      1+1 in a session                                            beside ipykernel, a socketpair
//   writes    stdout in writes of 64 KiB                                  beside ipykernel, a raw Unix socket
//   prints    a flood of print                                            beside ipykernel, python3 into a pipe
//   cancel    from the cancel of an endless Python loop to the verdict    beside ipykernel, SIGINT to a bare loop
//   evidence  runs with records, audit, traces and scraped metrics  beside the same with all of it off
//   branches  sessions that crash, go back, and are copied                beside a bare fork of the same heap, a
//                                                                         socketpair, `rollback = off`
//
// Subjects take turns (A B C, C B A, ...), after a warm-up block each that is thrown away. Results, freshness, session
// state and every byte of stdout are checked; what fails its check ends the benchmark without a number.
//
// Exit status: 0 all marks are met, 1 a mark is missed, 2 it could not be measured.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "benchmarks/report.h"

namespace capsule::bench {
namespace {

constexpr int kMet = 0, kMissed = 1, kNotMeasured = 2;

constexpr Effort kFull{.rounds = 12,
                       .pings = 1000,
                       .forks = 20,
                       .programs = 3,
                       .fresh_runs = 10,
                       .straight_runs = 40,
                       .warm_runs = 200,
                       .notebook_runs = 20,
                       .write_blocks = 2048,
                       .stream_bytes = 256u << 20,
                       .notebook_blocks = 512,
                       .printed_lines = 100'000,
                       .cancels = 4,
                       .spins = 3,
                       .crashes = 3,
                       .hard_cancels = 1,
                       .copies = 4,
                       .heaps_mb = {10, 100, 1000},
                       .seen_fresh_runs = 200,
                       .seen_warm_runs = 4000,
                       .stock = {24, 4}};
constexpr Effort kQuick{.rounds = 5,
                        .pings = 500,
                        .forks = 10,
                        .programs = 1,
                        .fresh_runs = 10,
                        .straight_runs = 20,
                        .warm_runs = 100,
                        .notebook_runs = 10,
                        .write_blocks = 1024,
                        .stream_bytes = 128u << 20,
                        .notebook_blocks = 256,
                        .printed_lines = 50'000,
                        .cancels = 2,
                        .spins = 2,
                        .crashes = 2,
                        .hard_cancels = 1,
                        .copies = 3,
                        .heaps_mb = {10, 100, 1000},
                        .seen_fresh_runs = 100,
                        .seen_warm_runs = 2000,
                        .stock = {24, 4}};
constexpr Effort kSmoke{.rounds = 1,
                        .pings = 10,
                        .forks = 2,
                        .programs = 1,
                        .fresh_runs = 1,
                        .straight_runs = 2,
                        .warm_runs = 3,
                        .notebook_runs = 2,
                        .write_blocks = 4,
                        .stream_bytes = 1u << 20,
                        .notebook_blocks = 4,
                        .printed_lines = 100,
                        .cancels = 1,
                        .spins = 1,
                        .crashes = 1,
                        .hard_cancels = 1,
                        .copies = 1,
                        .heaps_mb = {1, 2, 4},
                        .seen_fresh_runs = 4,
                        .seen_warm_runs = 20,
                        .stock = {4, 1}};

struct Options {
  std::vector<std::string> names;
  bool json = false, quick = false, smoke = false;
};

bool is_wanted(const Options& options, const std::string& name) {
  return options.names.empty() || std::find(options.names.begin(), options.names.end(), name) != options.names.end();
}

int not_measured(const Error& error) {
  std::fprintf(stderr, "capsule_bench: not measured: %s\n", error.message.c_str());
  return kNotMeasured;
}

Result<std::vector<Figure>> measure(const Options& options, const Effort& effort, Facts& facts) {
  auto subject = Subject::start({.stock = effort.stock});
  if (!subject) return tl::unexpected(subject.error());
  const auto modules = (*subject)->preload();
  if (!modules) return tl::unexpected(modules.error());
  auto bare_fork = BareFork::start(*modules);
  if (!bare_fork) return tl::unexpected(bare_fork.error());
  auto plain = PlainPython::start();
  if (!plain) return tl::unexpected(plain.error());
  auto notebook = Notebook::start();
  if (!notebook) return tl::unexpected(notebook.error());
  const auto versions = notebook->versions();
  if (!versions) return tl::unexpected(versions.error());
  facts.emplace_back("peers", "/usr/bin/python3 (same CPython), " + *versions + ", ipc transport");
  facts.emplace_back("stock", std::to_string(effort.stock.workers) + " workers, " +
                                  std::to_string(effort.stock.capsules) + " capsules");
  Bench bench{effort, **subject, *notebook, *bare_fork, *plain};
  std::vector<Figure> figures;
  for (const Workload& workload : workloads()) {
    if (!is_wanted(options, workload.name)) continue;
    std::fprintf(stderr, "measuring %s: %s\n", workload.name.c_str(), workload.meaning.c_str());
    Result<std::vector<Figure>> measured = workload.measure(bench);
    if (!measured) return failure(measured.error().code, workload.name + ": " + measured.error().message);
    std::move(measured->begin(), measured->end(), std::back_inserter(figures));
  }
  return figures;
}

int run_bench(const Options& options) {
  signal(SIGPIPE, SIG_IGN);  // a peer that died is an error that says so
  const Effort& effort = options.smoke ? kSmoke : options.quick ? kQuick : kFull;
  const Marks marks = options.smoke ? Marks::kIgnore : Marks::kJudge;
  Facts facts = machine_facts();
  const CpuTicks before = cpu_ticks();
  const TimePoint begin = now();
  const Result<std::vector<Figure>> figures = measure(options, effort, facts);
  if (!figures) return not_measured(figures.error());
  for (auto& fact : disturbance(before, cpu_ticks())) facts.push_back(std::move(fact));
  char text[32];
  std::snprintf(text, sizeof text, "%.0f s", to_seconds(now() - begin));
  facts.emplace_back("took", text);
  if (options.json) {
    std::fputs(json_text(facts, *figures, marks).c_str(), stdout);
  } else {
    std::fputs((facts_text(facts) + "\n" + table_text(*figures, marks)).c_str(), stdout);
  }
  if (marks_are_met(*figures, marks)) return kMet;
  std::fputs("capsule_bench: a mark is missed\n", stderr);
  return kMissed;
}

int parse_and_run(int argc, char** argv) {
  CLI::App app("Measures Capsule beside raw limits and peers, in one run.", "capsule_bench");
  Options options;
  std::vector<std::string> known;
  for (const Workload& each : workloads()) known.push_back(each.name);
  app.add_option("WORKLOAD", options.names, "What to measure (default: all)")->check(CLI::IsMember(known));
  app.add_flag("--json", options.json, "One JSON document, with every sample");
  app.add_flag("--quick", options.quick, "Fewer rounds: about a minute instead of two to three");
  app.add_flag("--smoke", options.smoke, "Only whether everything can be measured; marks are not judged");
  app.footer("Exit status: 0 all marks are met, 1 a mark is missed, 2 it could not be measured.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kMet : kNotMeasured;
  }
  return run_bench(options);
}

}  // namespace
}  // namespace capsule::bench

int main(int argc, char** argv) { return capsule::bench::parse_and_run(argc, argv); }
