// Figures that programs keep of themselves (`capsule.metric`), for one scrape with the manager's own. What a program
// says is hostile: names and labels go through a grammar that no scrape can trip over, and there is a limit to how many
// there are. All users share them, and whoever can run programs can raise any of them: they are for looking, not for
// billing.
//
// A counter `x` is capsule_user_x_total, a gauge `x` is capsule_user_x. Names ending in what the formats append to
// names of their own are refused, so that no two families can meet. A name keeps the kind it had first.
//
// Pure; used from the manager's thread. At the limits nothing new is taken; what is there goes on, and stays until the
// manager ends.
#pragma once

#include <prometheus/metric_family.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manager/observe/labels.h"

namespace capsule {

struct Metric;  // the message

class UserMetrics {
 public:
  struct Limits {
    size_t names = 8, series = 16;
  };

  void set_limits(const Limits& limits) { limits_ = limits; }
  // Why it was not taken; none: it was.
  std::optional<label::UserMetricDrop> take(const Metric& metric);
  size_t series() const { return series_; }
  std::vector<prometheus::MetricFamily> collect() const;

 private:
  enum class Kind { kCounter, kGauge };
  struct Figure {
    Kind kind = Kind::kCounter;
    std::map<std::map<std::string, std::string>, double> values;  // by labels
  };
  bool has_room(bool name_is_new) const;

  Limits limits_;
  std::map<std::string, Figure> figures_;  // by name, without prefix and suffix
  size_t series_ = 0;
};

// [a-z_][a-z0-9_]*, no two underscores at the start, and no longer than limits::kMetricNameBytes.
bool is_user_metric_name(std::string_view name);

}  // namespace capsule
