// The workloads: what each measures beside what, and the marks it should meet.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "benchmarks/peers.h"
#include "benchmarks/samples.h"
#include "benchmarks/subject.h"

namespace capsule::bench {

// How much is measured. Counts are for one block; `rounds` blocks of each subject.
struct Effort {
  size_t rounds = 0;
  size_t pings = 0, forks = 0, programs = 0;
  size_t fresh_runs = 0;     // at most half of the stock: more would not all be pool hits
  size_t straight_runs = 0;  // one after the other, refilling included
  size_t warm_runs = 0, notebook_runs = 0;
  size_t write_blocks = 0, stream_bytes = 0, notebook_blocks = 0;
  size_t printed_lines = 0;
  size_t cancels = 0;
  size_t spins = 0;
  size_t crashes = 0, hard_cancels = 0, copies = 0;  // of sessions
  std::array<size_t, 3> heaps_mb{};                  // what those sessions hold, ascending
  size_t seen_fresh_runs = 0, seen_warm_runs = 0;    // with evidence, several at once
  Stock stock;
};

// What a figure is compared with. `mark`: the ratio to be met, at most (times) or at least (rates).
struct Comparison {
  std::string baseline;
  Samples samples;
  std::optional<double> mark;
};

struct Figure {
  std::string name;
  std::string unit;
  Better better = Better::kLess;
  Samples own;
  std::vector<Comparison> comparisons;
  std::optional<double> mark;      // of the figure itself, in its unit
  std::vector<std::string> notes;  // what else was seen, in sentences
};

// What is measured and what it is measured against; everything runs for the whole benchmark.
struct Bench {
  Effort effort;
  Subject& subject;
  Notebook& notebook;
  BareFork& bare_fork;
  PlainPython& plain;
};

struct Workload {
  std::string name;
  std::string meaning;
  Result<std::vector<Figure>> (*measure)(Bench&);
};
const std::vector<Workload>& workloads();

Result<std::vector<Figure>> measure_fresh(Bench& bench);
Result<std::vector<Figure>> measure_straight(Bench& bench);
Result<std::vector<Figure>> measure_sandbox(Bench& bench);
Result<std::vector<Figure>> measure_probe(Bench& bench);
Result<std::vector<Figure>> measure_warm(Bench& bench);
Result<std::vector<Figure>> measure_cancel(Bench& bench);
Result<std::vector<Figure>> measure_writes(Bench& bench);
Result<std::vector<Figure>> measure_prints(Bench& bench);
Result<std::vector<Figure>> measure_memory(Bench& bench);
Result<std::vector<Figure>> measure_evidence(Bench& bench);
Result<std::vector<Figure>> measure_branches(Bench& bench);

}  // namespace capsule::bench
