#include "manager/schedule/run_settings.h"

#include <algorithm>
#include <array>

#include "protocol/limits.h"

namespace capsule {
namespace {

constexpr std::array<std::string_view, 19> kLayerNames{
    "descriptors", "environment", "userns",  "pidns",      "mountns",      "netns",        "ipcns",
    "utsns",       "id_maps",     "root",    "proc",       "capabilities", "no_new_privs", "dumpable",
    "rlimits",     "landlock",    "seccomp", "kill_guard", "cgroup"};

// One wish against what may be had at most (0: anything). The texts are for the error.
Result<uint64_t> within(Above above, uint64_t wanted, uint64_t standard, uint64_t max, const char* unit,
                        const char* what, const char* whose, const char* knob) {
  if (wanted == 0) return standard;
  if (max == 0 || wanted <= max) return wanted;
  if (above == Above::kLowered) return max;
  return failure(Errc::kRefused, std::string(what) + " of " + std::to_string(wanted) + " " + unit + " is above " +
                                     whose + knob + " (" + std::to_string(max) + " " + unit + ")");
}

uint64_t below(uint64_t value, uint64_t standard) { return value < standard ? value : 0; }

uint64_t to_ms(Duration duration) { return static_cast<uint64_t>(to_milliseconds(duration)); }

// A run that asks for what a session asks for.
Execute as_run(const SessionLimits& wanted) {
  Execute run;
  run.timeout_ms = wanted.timeout_ms;
  run.cpu_ms = wanted.cpu_ms;
  run.memory_bytes = wanted.memory_bytes;
  run.output_bytes = wanted.output_bytes;
  run.processes = wanted.processes;
  run.open_files = wanted.open_files;
  run.workspace_bytes = wanted.workspace_bytes;
  run.workspace_files = wanted.workspace_files;
  return run;
}

}  // namespace

Result<RunSettings> run_settings(const Execute& request, const ProfileSettings& profile, const SessionLimits& session,
                                 Above above) {
  const RunConfig& run = profile.run;
  const LimitsConfig& limits = profile.limits;
  if (request.timeout_ms > limits::kDurationMs || request.cpu_ms > limits::kDurationMs) {
    return failure(Errc::kTooLarge, "timeout_ms or cpu_ms is out of range");
  }
  // What holds without a wish, what may be wished for, and who says so: the session where it has a limit of its own.
  const auto pick = [above](uint64_t wanted, uint64_t own, uint64_t standard, uint64_t max, const char* unit,
                            const char* what, const char* knob) {
    if (own != 0) return within(above, wanted, own, own, unit, what, "its session's limit", "");
    return within(above, wanted, standard, max, unit, what, "the profile's ", knob);
  };
  const auto timeout = pick(request.timeout_ms, session.timeout_ms, to_ms(run.timeout), to_ms(run.timeout_max), "ms",
                            "a timeout", "run.max_timeout_s");
  const auto output = pick(request.output_bytes, session.output_bytes, run.output_bytes, run.output_bytes_max, "bytes",
                           "an output limit", "run.max_output_bytes");
  const auto cpu = pick(request.cpu_ms, session.cpu_ms, to_ms(limits.cpu), to_ms(limits.cpu), "ms", "a processor time",
                        "limits.cpu_s");
  const auto memory = pick(request.memory_bytes, session.memory_bytes, limits.memory_bytes, limits.memory_bytes,
                           "bytes", "a memory limit", "limits.memory_bytes");
  const auto processes = pick(request.processes, session.processes, limits.processes, limits.processes, "tasks",
                              "a limit of processes", "limits.processes");
  const auto open_files = pick(request.open_files, session.open_files, limits.open_files, limits.open_files, "files",
                               "a limit of open files", "limits.open_files");
  const SandboxConfig& sandbox = profile.sandbox;
  const auto bytes = pick(request.workspace_bytes, session.workspace_bytes, sandbox.workspace_bytes,
                          sandbox.workspace_bytes, "bytes", "a workspace", "sandbox.workspace_bytes");
  const auto files = pick(request.workspace_files, session.workspace_files, sandbox.workspace_files,
                          sandbox.workspace_files, "files", "a workspace", "sandbox.workspace_files");
  for (const auto* wish : {&timeout, &output, &cpu, &memory, &processes, &open_files, &bytes, &files}) {
    if (!*wish) return tl::unexpected<Error>(wish->error());
  }
  RunSettings settings;
  settings.limits = {milliseconds(*timeout), run.grace, *output, milliseconds(*cpu), *memory};
  if (*memory < limits.memory_bytes) settings.program_memory_bytes = *memory;
  settings.bounds = {*processes, *open_files, {*bytes, *files}};
  settings.tightened = {below(*processes, limits.processes),
                        below(*open_files, limits.open_files),
                        {below(*bytes, sandbox.workspace_bytes), below(*files, sandbox.workspace_files)}};
  settings.output_policy = run.output_policy;
  settings.recorded = run.recorded;
  settings.recorded_output_bytes = run.recorded_output_bytes;
  settings.slow_after = run.slow_after;
  if (!request.output_policy.empty()) {
    const auto policy = output_policy_from_string(request.output_policy);
    if (!policy) return failure(Errc::kInvalid, "output_policy is one of block, truncate and stop");
    settings.output_policy = *policy;
  }
  return settings;
}

Status check_session_limits(const SessionLimits& wanted, const ProfileSettings& profile) {
  const auto settings = run_settings(as_run(wanted), profile, {});
  if (!settings) return tl::unexpected<Error>(settings.error());
  return {};
}

Result<SessionLimits> limits_of_fork(const SessionLimits& wanted, const SessionLimits& own,
                                     const ProfileSettings& profile) {
  const auto settings = run_settings(as_run(wanted), profile, own);
  if (!settings) return tl::unexpected<Error>(settings.error());
  const auto pick = [](uint64_t wish, uint64_t rest) { return wish == 0 ? rest : wish; };
  return SessionLimits{pick(wanted.timeout_ms, own.timeout_ms),
                       pick(wanted.cpu_ms, own.cpu_ms),
                       pick(wanted.memory_bytes, own.memory_bytes),
                       pick(wanted.output_bytes, own.output_bytes),
                       pick(wanted.processes, own.processes),
                       pick(wanted.open_files, own.open_files),
                       pick(wanted.workspace_bytes, own.workspace_bytes),
                       pick(wanted.workspace_files, own.workspace_files)};
}

bool is_layer_name(std::string_view name) {
  return std::find(kLayerNames.begin(), kLayerNames.end(), name) != kLayerNames.end();
}

Status check_required(const std::vector<std::string>& required) {
  for (const std::string& name : required) {
    if (is_layer_name(name)) continue;
    std::string known;
    for (const std::string_view layer : kLayerNames) known.append(known.empty() ? "" : ", ").append(layer);
    return failure(Errc::kInvalid,
                   "there is no layer '" + name.substr(0, limits::kIdBytes) + "' to require; there are: " + known);
  }
  return {};
}

std::string missing_layers(const std::vector<std::string>& required, const std::vector<Layer>& layers) {
  std::string missing;
  for (const std::string& name : required) {
    const auto found =
        std::find_if(layers.begin(), layers.end(), [&](const Layer& layer) { return layer.name == name; });
    if (found != layers.end() && found->state == "on") continue;
    missing += (missing.empty() ? "" : ", ") + name;
    if (found == layers.end()) {
      missing += " (not built)";
    } else {
      missing += " (" + found->state + (found->detail.empty() ? "" : ": " + found->detail) + ")";
    }
  }
  return missing;
}

}  // namespace capsule
