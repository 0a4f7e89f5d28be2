// Preloaded into the worker program, makes the kernel answer as one with an older Landlock: OLD_LANDLOCK_ABI says
// which. What the tests cannot have is that kernel; what they can show is that nothing newer is asked for or needed.
// (security/landlock/syscalls.c of Linux 6.1 to 6.15: sizes, masks and errors.)
#include <sys/syscall.h>

#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

constexpr long kAskVersion = 1, kAskErrata = 2;

// Taken before anybody clears the environment.
const long abi = [] {
  const char* text = std::getenv("OLD_LANDLOCK_ABI");
  return text == nullptr ? 1000 : std::atol(text);
}();

struct Attributes {
  uint64_t filesystem, network, scoped;
};

long raw(long number, const long (&a)[6]) {
  register long fourth asm("r10") = a[3];
  register long fifth asm("r8") = a[4];
  register long sixth asm("r9") = a[5];
  long result = 0;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(fourth), "r"(fifth), "r"(sixth)
               : "rcx", "r11", "memory");
  return result;
}

// 0, or the error of a kernel that does not know what is asked for.
long refusal(const Attributes* attributes, size_t size) {
  const int rights = abi >= 5 ? 16 : abi >= 3 ? 15 : abi >= 2 ? 14 : 13;
  const size_t known = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
  const auto* bytes = reinterpret_cast<const unsigned char*>(attributes);
  for (size_t at = known; at < size; ++at) {
    if (bytes[at] != 0) return -E2BIG;
  }
  return attributes->filesystem >> rights != 0 ? -EINVAL : 0;
}

long create_ruleset(const long (&a)[6]) {
  if (a[2] == kAskVersion) {
    const long newest = raw(SYS_landlock_create_ruleset, a);
    return newest < abi ? newest : abi;
  }
  if (a[2] == kAskErrata && abi < 6) return -EINVAL;
  if (a[2] == 0) {
    if (const long error = refusal(reinterpret_cast<const Attributes*>(a[0]), static_cast<size_t>(a[1])); error != 0) {
      return error;
    }
  }
  return raw(SYS_landlock_create_ruleset, a);
}

}  // namespace

extern "C" long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  const long result = number == SYS_landlock_create_ruleset ? create_ruleset(a) : raw(number, a);
  if (result < 0 && result > -4096) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}
