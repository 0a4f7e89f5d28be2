#include "worker/sandbox/rlimits.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/posix_io.h"
#include "worker/data_size.h"
#include "worker/descriptor_reserve.h"
#include "worker/memory_reserve.h"

namespace capsule::sandbox {
namespace {

constexpr rlim_t kLockedBytes = 64 << 10;     // what a kernel before 5.16 gave everybody
constexpr rlim_t kPendingSignals = 1024;      // bounds queued signals
constexpr rlim_t kStackBytes = 8 << 20;       // also the default of each thread
constexpr rlim_t kStackMaxBytes = 512 << 20;  // may be raised: deep recursions do, and the memory limit counts it
constexpr uint64_t kOwnTasks = 3;             // keeper, worker, its link thread

Status set(__rlimit_resource resource, const char* name, rlim_t soft, rlim_t hard) {
  rlimit now{};
  if (getrlimit(resource, &now) == 0) hard = std::min(hard, now.rlim_max);  // raising needs privilege
  const rlimit wanted{std::min(soft, hard), hard};
  if (setrlimit(resource, &wanted) != 0) return system_failure(std::string("limit ") + name);
  return {};
}
Status set(__rlimit_resource resource, const char* name, rlim_t value) { return set(resource, name, value, value); }

Status limit_memory(uint64_t bytes) {
  if (bytes == 0) return {};
  return data_bytes().and_then([&](uint64_t at_start) {
    const rlim_t soft = at_start + bytes;
    return set(RLIMIT_DATA, "RLIMIT_DATA", soft, soft + memory_reserve::kReservedBytes);
  });
}

Status limit_open_files(uint64_t files) {
  if (files == 0) return {};
  return set(RLIMIT_NOFILE, "RLIMIT_NOFILE", files, files + descriptor_reserve::kReservedDescriptors);
}

Status limit_processes(uint64_t processes, parked::Namespaces namespaces) {
  if (processes == 0 || !parked::has(namespaces, CLONE_NEWUSER)) return {};
  return set(RLIMIT_NPROC, "RLIMIT_NPROC", processes + kOwnTasks);
}

}  // namespace

Status limit_resources(const Policy& policy, parked::Namespaces namespaces) {
  return set(RLIMIT_CORE, "RLIMIT_CORE", 0)
      .and_then([] { return set(RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK", kLockedBytes); })
      .and_then([] { return set(RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING", kPendingSignals); })
      .and_then([] { return set(RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE", 0); })
      .and_then([] { return set(RLIMIT_NICE, "RLIMIT_NICE", 0); })
      .and_then([] { return set(RLIMIT_RTPRIO, "RLIMIT_RTPRIO", 0); })
      .and_then([] { return set(RLIMIT_STACK, "RLIMIT_STACK", kStackBytes, kStackMaxBytes); })
      .and_then([&] { return limit_open_files(policy.open_files); })
      .and_then([&] { return limit_processes(policy.processes, namespaces); })
      .and_then([&] { return limit_memory(policy.memory_soft_bytes); });
}

}  // namespace capsule::sandbox
