#include "worker/data_size.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/posix_io.h"

namespace capsule {

// proc(5), statm: the sixth number is data and stack, in pages. RLIMIT_DATA counts the data of it.
Result<uint64_t> data_bytes() {
  constexpr size_t kStatmBytes = 256;
  auto text = read_file("/proc/self/statm", kStatmBytes);
  if (!text) return tl::unexpected<Error>(text.error());
  const char* at = text->c_str();
  uint64_t pages = 0;
  for (int column = 0; column < 6; ++column) {
    char* end = nullptr;
    pages = std::strtoull(at, &end, 10);
    at = end;
  }
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace capsule
