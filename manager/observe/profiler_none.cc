// In place of profiler.cc where gperftools is not built in.
#include "manager/observe/profiler.h"

namespace capsule::profiler {
namespace {
auto not_built_in() { return failure(Errc::kUnavailable, "profiling is not built in (meson configure -Dpprof=true)"); }
}  // namespace

bool is_built_in() { return false; }
void prepare() {}
Status start_cpu() { return not_built_in(); }
Result<std::string> stop_cpu() { return not_built_in(); }
Result<std::string> heap() { return not_built_in(); }

}  // namespace capsule::profiler
