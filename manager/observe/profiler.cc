#include "manager/observe/profiler.h"

#include <gperftools/malloc_extension.h>
#include <gperftools/profiler.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/unique_fd.h"

// The variable behind TCMALLOC_SAMPLE_PARAMETER, which tcmalloc reads before main(): no header declares it.
namespace FLAG__namespace_do_not_use_directly_use_DECLARE_int64_instead {
extern int64_t FLAGS_tcmalloc_sample_parameter;
}

namespace capsule::profiler {
namespace {

constexpr int64_t kSampleBytes = 512 << 10;  // what tcmalloc's documentation advises for production
constexpr size_t kLookAgainBytes = 32u << 20;
constexpr size_t kProfileBytes = 64u << 20;

UniqueFd profile;  // of the one under way: gperftools writes to a file only

Result<std::string> read_profile(const UniqueFd& file) {
  std::string bytes;
  std::array<char, 65536> block;
  ssize_t got = 0;
  while (bytes.size() < kProfileBytes &&
         (got = pread(file.get(), block.data(), block.size(), static_cast<off_t>(bytes.size()))) > 0) {
    bytes.append(block.data(), static_cast<size_t>(got));
  }
  if (got < 0) return system_failure("read of the profile");
  return bytes;
}

}  // namespace

bool is_built_in() { return true; }

void prepare() {
  FLAG__namespace_do_not_use_directly_use_DECLARE_int64_instead::FLAGS_tcmalloc_sample_parameter = kSampleBytes;
  // It is looked at again only once so much was allocated (PickNextSamplingPoint). Nothing of it is touched.
  void* volatile unused = std::malloc(kLookAgainBytes);
  std::free(unused);
}

Status start_cpu() {
  if (profile) return failure(Errc::kConflict, "a profile is being taken already");
  UniqueFd file(memfd_create("profile", MFD_CLOEXEC));
  if (!file) return system_failure("memfd_create");
  if (ProfilerStart(("/proc/self/fd/" + std::to_string(file.get())).c_str()) == 0) {
    return failure(Errc::kUnavailable, "the profiler does not start");
  }
  profile = std::move(file);
  return {};
}

Result<std::string> stop_cpu() {
  ProfilerStop();
  const UniqueFd file = std::move(profile);
  return read_profile(file);
}

Result<std::string> heap() {
  std::string sample;
  MallocExtension::instance()->GetHeapSample(&sample);
  if (sample.empty()) return failure(Errc::kUnavailable, "tcmalloc is not this program's allocator");
  return sample;
}

}  // namespace capsule::profiler
