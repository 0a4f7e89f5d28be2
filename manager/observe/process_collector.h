// The standard process_* metrics of this process, read from /proc/self at each scrape.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace capsule {

// What cannot be read is left out rather than made up. A limit that is not set is +Inf.
std::vector<prometheus::MetricFamily> collect_process_metrics();

}  // namespace capsule
