#include "benchmarks/branch_parts.h"

namespace capsule::bench {

double ms(Duration took) { return to_seconds(took) * 1e3; }

std::string heap_text(size_t heap_mb) { return std::to_string(heap_mb) + " MB"; }

Figure figure_in_ms(std::string name, Samples own, std::vector<Comparison> comparisons) {
  Figure made;
  made.name = std::move(name);
  made.unit = "ms";
  made.own = std::move(own);
  made.comparisons = std::move(comparisons);
  return made;
}

}  // namespace capsule::bench
