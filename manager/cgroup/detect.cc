#include "manager/cgroup/detect.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>

#include "base/posix_io.h"
#include "manager/cgroup/group_claim.h"
#include "manager/cgroup/group_proof.h"

namespace capsule {
namespace {

// What looking at processes does not see (docs/decisions/0009-limits-and-cgroups.md).
constexpr const char* kNotBounded = "; memory that no process maps (memfds, sockets) is not bounded";
constexpr size_t kProcFileBytes = 1u << 20;  // mountinfo of a busy machine
constexpr size_t kControllersBytes = 4096;

bool write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  return file.good();
}

// Controllers that share a hierarchy (cpu,cpuacct) share the directory.
std::string parent_in(const std::string& place, const std::string& owner, CgroupRoot& root) {
  if (place.empty() || access(place.c_str(), W_OK) != 0) return {};
  std::string dir = place + "/capsule-" + owner;
  if (dir == root.memory || dir == root.tasks) return dir;
  auto claim = claim_group(dir);
  if (!claim) return {};
  root.claims.push_back(std::move(*claim));
  return dir;
}

CgroupRoot use_v1(const CgroupPlaces& places, const std::string& owner) {
  CgroupRoot root;
  const auto place = [&](const char* controller) {
    const auto found = places.v1.find(controller);
    return found == places.v1.end() ? std::string() : parent_in(found->second, owner, root);
  };
  root.memory = place("memory");
  root.tasks = place("pids");
  root.cpu = place("cpuacct");
  if (root.memory.empty() && root.tasks.empty() && root.cpu.empty()) {
    root.detail = "v1: no hierarchy of memory, pids or cpuacct that this user may write";
    return root;
  }
  root.version = CgroupVersion::kV1;
  root.detail = "v1";
  if (!root.memory.empty()) root.detail += " memory";
  if (!root.tasks.empty()) root.detail += " pids";
  if (!root.cpu.empty()) root.detail += " cpuacct";
  return root;
}

// cgroup.subtree_control takes only what the parent hands on, and refuses while processes are in the group itself.
bool hand_on(const std::string& dir, const std::string& controllers) {
  return controllers.empty() || write_text(dir + "/cgroup.subtree_control", controllers);
}

CgroupRoot use_v2(const CgroupPlaces& places, const std::string& owner) {
  CgroupRoot root;
  const std::string& own = places.v2;
  if (own.empty() || access((own + "/cgroup.procs").c_str(), W_OK) != 0) {
    root.detail = own.empty() ? "v2 is not mounted" : "v2: this manager's group is not delegated to it (" + own + ")";
    return root;
  }
  const auto text = read_file(own + "/cgroup.controllers", kControllersBytes);
  const std::vector<std::string> there = words_of(text.value_or(""), " \n");
  std::string wanted;
  bool memory = false, pids = false;
  for (const char* controller : {"memory", "pids", "cpu"}) {
    if (std::find(there.begin(), there.end(), controller) == there.end()) continue;
    wanted += std::string(wanted.empty() ? "+" : " +") + controller;
    memory |= std::strcmp(controller, "memory") == 0;
    pids |= std::strcmp(controller, "pids") == 0;
  }
  const std::string supervisor = own + "/supervisor-" + owner;
  if (!hand_on(own, wanted)) {
    auto claim = claim_group(supervisor);
    const bool moved = claim && write_text(supervisor + "/cgroup.procs", std::to_string(getpid()));
    if (claim) root.claims.push_back(std::move(*claim));
    if (!moved || !hand_on(own, wanted)) {
      if (moved) (void)write_text(own + "/cgroup.procs", std::to_string(getpid()));
      rmdir(supervisor.c_str());
      root.detail = "v2: cannot hand controllers on in " + own + ": " + std::strerror(errno);
      return root;
    }
  }
  const std::string parent = parent_in(own, owner, root);
  if (parent.empty() || !hand_on(parent, wanted)) {
    root.detail = "v2: cannot make groups below " + own;
    return root;
  }
  root.version = CgroupVersion::kV2;
  root.cpu = parent;  // cpu.stat is there without any controller
  if (memory) root.memory = parent;
  if (pids) root.tasks = parent;
  root.detail = std::string("v2") + (memory ? " memory" : "") + (pids ? " pids" : "") + " cpu.stat";
  return root;
}

CgroupRoot choose(const CgroupPlaces& places, CgroupMode mode, const std::string& owner) {
  CgroupRoot none;
  none.detail = "turned off (sandbox.cgroup)";
  switch (mode) {
    case CgroupMode::kOff: return none;
    case CgroupMode::kV1: return use_v1(places, owner);
    case CgroupMode::kV2: return use_v2(places, owner);
    case CgroupMode::kAuto: break;
  }
  CgroupRoot second = use_v2(places, owner);
  if (second.bounds_everything()) return second;
  CgroupRoot first = use_v1(places, owner);
  if (first.version != CgroupVersion::kNone) {
    remove_groups_of(second);
    return first;
  }
  if (second.version != CgroupVersion::kNone) return second;
  none.detail = second.detail + "; " + first.detail;
  return none;
}

}  // namespace

CgroupRoot detect_cgroups(const CgroupPlaces& places, CgroupMode mode, const std::string& owner) {
  CgroupRoot root = choose(places, mode, owner);
  std::set<std::string> all{places.v2};
  for (const char* controller : {"memory", "pids", "cpuacct"}) {
    if (const auto found = places.v1.find(controller); found != places.v1.end()) all.insert(found->second);
  }
  all.erase("");
  root.places.assign(all.begin(), all.end());
  return root;
}

CgroupRoot detect_cgroups(CgroupMode mode, const std::string& owner) {
  const auto mounts = read_file("/proc/self/mountinfo", kProcFileBytes);
  const auto own = read_file("/proc/self/cgroup", kProcFileBytes);
  CgroupRoot root = detect_cgroups(find_cgroups(mounts.value_or(""), own.value_or("")), mode, owner);
  const Status proved = prove_groups(root);
  if (proved) return root;
  remove_groups_of(root);
  CgroupRoot none;
  none.detail = root.detail + ": " + proved.error().message;
  none.places = std::move(root.places);
  return none;
}

Layer layer_of(const CgroupRoot& root) {
  const char* state = root.version == CgroupVersion::kNone ? "off" : root.bounds_everything() ? "on" : "degraded";
  return {"cgroup", state, root.detail + (root.memory.empty() ? kNotBounded : "")};
}

Layer no_group(const std::string& why) { return {"cgroup", "off", why + kNotBounded}; }

void remove_groups_of(const CgroupRoot& root) {
  const std::set<std::string> parents{root.memory, root.tasks, root.cpu};
  for (const std::string& parent : parents) {
    if (parent.empty()) continue;
    (void)remove_groups_below(parent);
    rmdir(parent.c_str());
  }
}

}  // namespace capsule
