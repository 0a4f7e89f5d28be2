#include "benchmarks/workloads.h"

namespace capsule::bench {

const std::vector<Workload>& workloads() {
  // Memory first: later workloads leave the manager and the zygote with pages of their own.
  static const std::vector<Workload> all{
      {"memory", "private memory of an idle worker with its keeper", measure_memory},
      {"fresh", "a fresh one-shot run of 1+1 in `data`, pool hit", measure_fresh},
      {"straight", "fresh runs one after the other, refilling included", measure_straight},
      {"sandbox", "fresh runs from a ready capsule and from nothing, and computing, beside no sandbox",
       measure_sandbox},
      {"probe", "what a start waits for until it knows which layers hold", measure_probe},
      {"warm", "1+1 in a session", measure_warm},
      {"writes", "stdout in writes of 64 KiB", measure_writes},
      {"prints", "a flood of print", measure_prints},
      {"cancel", "from the cancel of an endless Python loop to the verdict", measure_cancel},
      {"evidence", "runs with records, audit, traces and scraped metrics, beside the same without", measure_evidence},
      {"branches", "sessions that crash, go back, and are copied", measure_branches},
  };
  return all;
}

}  // namespace capsule::bench
