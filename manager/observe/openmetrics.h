// OpenMetrics 1.0 text (https://github.com/prometheus/OpenMetrics, specification/OpenMetrics.md), which prometheus-cpp
// 1.0.1 lacks: as the text format 0.0.4 but for the names of counters' families and the mark at the end, so that a
// scrape that was cut off is noticed, and exemplars. Only what our registry has: counters, gauges and histograms.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "manager/observe/exemplars.h"

namespace capsule {

std::string openmetrics_text(const std::vector<prometheus::MetricFamily>& families, const Exemplars& exemplars = {});

}  // namespace capsule
