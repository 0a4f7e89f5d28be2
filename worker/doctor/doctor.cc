#include "worker/doctor/doctor.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/posix_io.h"
#include "worker/doctor/capsule_probes.h"
#include "worker/doctor/fixes.h"
#include "worker/doctor/host_probes.h"
#include "worker/sandbox/landlock_proof.h"
#include "worker/sandbox/seccomp.h"

namespace capsule {
namespace {

using doctor::Finding;

constexpr uint64_t kScratchBytes = 1 << 20, kScratchFiles = 64;

// The closed list, in the order in which layers are applied.
constexpr const char* kLayers[] = {"descriptors",  "environment", "userns",  "pidns",    "mountns", "netns",
                                   "ipcns",        "utsns",       "id_maps", "root",     "proc",    "capabilities",
                                   "no_new_privs", "dumpable",    "rlimits", "landlock", "seccomp", "kill_guard"};

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out + "\"";
}

// A layer that two probes speak of holds when both say so; the first that does not says why.
Finding combine(const char* name, const std::vector<Finding>& all) {
  Finding result{name, "off", "", "it could not be tried", ""};
  bool seen = false;
  for (const Finding& one : all) {
    if (one.name != name) continue;
    if (!seen || (result.state == "on" && one.state != "on")) result = one;
    seen = true;
  }
  if (result.state != "on") result.fix = doctor::fix_for(name, doctor::this_machine());
  return result;
}

std::string to_json(const Finding& found) {
  return "{\"name\":" + quoted(found.name) + ",\"state\":" + quoted(found.state) + ",\"proof\":" + quoted(found.proof) +
         ",\"reason\":" + quoted(found.reason) + ",\"fix\":" + quoted(found.fix) + "}";
}

}  // namespace

int run_doctor() {
  const TimePoint started = now();
  Prepare profile;
  profile.workspace_bytes = kScratchBytes;
  profile.workspace_files = kScratchFiles;
  sandbox::Recipe recipe = sandbox::make_recipe(profile, sandbox::landlock::prove());
  std::vector<Finding> all = doctor::probe_host(recipe);
  const std::vector<Finding> inside = doctor::probe_capsule(recipe);
  all.insert(all.end(), inside.begin(), inside.end());
  std::string layers;
  for (const char* name : kLayers) layers += (layers.empty() ? "" : ",") + to_json(combine(name, all));
  const auto took = static_cast<uint64_t>(to_microseconds(now() - started));
  const std::string document = "{\"v\":1,\"took_us\":" + std::to_string(took) + ",\"layers\":[" + layers + "]}\n";
  return write_all(STDOUT_FILENO, document) ? 0 : 1;
}

int print_seccomp_table() {
  const std::string lines = sandbox::seccomp::describe(
      sandbox::seccomp::make_table({}, {sandbox::seccomp::Sockets::kLocal, sandbox::landlock::prove().abi}));
  return write_all(STDOUT_FILENO, lines) ? 0 : 1;
}

}  // namespace capsule
