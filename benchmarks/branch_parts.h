// What the workload `branches` consists of. Each part makes its own sessions and removes them.
#pragma once

#include "benchmarks/workloads.h"

namespace capsule::bench {

using Figures = Result<std::vector<Figure>>;

// For all parts, which take turns with them.
struct BranchBench {
  const Effort& effort;
  Subject& subject;
  std::vector<BareFork> forks;  // one for each of effort.heaps_mb, with such a heap
};

// What their figures have in common.
double ms(Duration took);
std::string heap_text(size_t heap_mb);
Figure figure_in_ms(std::string name, Samples own, std::vector<Comparison> comparisons);

Figures rollback_figures(BranchBench& bench);     // a worker that is killed; the whole run that killed it
Figures hard_cancel_figures(BranchBench& bench);  // a loop in C that no interrupt reaches
Figures policy_figures(BranchBench& bench);       // what rollback = idle and always cost runs without a pause
Figures copy_figures(BranchBench& bench);         // taking a copy of a session that stays
Figures fork_figures(BranchBench& bench);         // a session that is forked
Figures pickle_figures(BranchBench& bench);       // forks and durable checkpoints beside a pickler
Figures going_back_figures(BranchBench& bench);   // undo, restore

}  // namespace capsule::bench
