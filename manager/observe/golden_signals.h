// The four golden signals (Google's SRE book, chapter 6) since the start, from the same registry that /metrics shows.
#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace capsule {

// As histogram_quantile() of Prometheus does it: linear inside a bucket, the upper bound of the last finite one beyond
// it. 0 < q < 1. NaN without observations.
double histogram_quantile(double q, const prometheus::ClientMetric::Histogram& histogram);

// JSON: latency, traffic, errors, saturation.
std::string golden_signals_json(const std::vector<prometheus::MetricFamily>& families, double uptime_s);

}  // namespace capsule
