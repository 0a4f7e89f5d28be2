// The documents of `info` and `session ls`: one picture of the whole manager, as JSON. Reads every room and changes
// none. A client sees its own uid's sessions and runs; root sees all.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "manager/doctor.h"
#include "manager/observe/audit_log.h"
#include "manager/observe/trace_exporter.h"
#include "manager/schedule/dispatcher.h"
#include "manager/sessions/session_registry.h"

namespace capsule {

struct ManagerFacts {
  std::string version, state, socket, http, http_socket, default_profile, config_file, state_dir, python;
  int64_t started_wall_ms = 0;
  TimePoint started_at{};
  bool is_private = false;
  std::vector<std::string> degraded;  // what does not hold here, for people
  DoctorFindings findings;            // of the start; empty until it has ended
};

struct InfoSources {
  const ManagerFacts& facts;
  const Config& config;
  const Pools& pools;
  const SessionRegistry& sessions;
  const Dispatcher& dispatcher;
  const Metrics& metrics;
  const AuditLog& audit;
  const TraceExporter& traces;
  const std::string& collector;  // of spans; empty: none
};

// kInvalid for a section that does not exist; the text lists those that do.
Result<std::string> make_info(const InfoSources& sources, const std::vector<std::string>& sections, uid_t uid);
std::string make_session_list(const InfoSources& sources, uid_t uid);

}  // namespace capsule
