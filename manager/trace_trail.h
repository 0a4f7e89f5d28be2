// What of the manager's runs goes out as spans, and to whom. Decides nothing. Owned by the manager; lives on the loop's
// thread.
#pragma once

#include <string>

#include "manager/config.h"
#include "manager/observe/metrics.h"
#include "manager/observe/trace_exporter.h"
#include "manager/observe/trace_lines.h"
#include "manager/schedule/run.h"

namespace capsule {

class TraceTrail {
 public:
  explicit TraceTrail(Metrics& metrics) : metrics_(metrics) {}

  // kInvalid: the configuration is wrong. What cannot be had for other reasons is a warning in the log. `directory`
  // may be empty: no file.
  Status open(const TraceConfig& config, const std::string& directory, const std::string& version);
  const TraceExporter& exporter() const { return exporter_; }
  const std::string& collector() const { return collector_; }  // its URL without what may be secret; empty: none
  void set_python(const std::string& version) { exporter_.set_python(version); }
  void finished(const Run& run);
  // A request that is part of a trace is a span of it. The trace's id; empty: it is part of none.
  std::string answered(const HttpExchange& exchange);
  void close() { exporter_.close(); }

  void refresh_gauges();

 private:
  Metrics& metrics_;
  TraceExporter exporter_;
  TraceIds ids_;
  std::string collector_;
};

// For the document that `trace` asks for.
TraceFacts trace_facts(const Run& run);

}  // namespace capsule
