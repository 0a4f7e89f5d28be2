// Preloaded into the worker program, makes the kernel answer as one with an older Landlock: OLD_LANDLOCK_ABI says
// which. What the tests cannot have is that kernel; what they can show is that nothing newer is asked for or needed.
// LANDLOCK_HOLDS makes it a kernel that claims a version and takes what belongs to it, but does nothing of what is
// newer than this one; 0: nothing at all. (security/landlock/syscalls.c of Linux 6.1 to 6.15: sizes, masks and errors.)
#include <sys/syscall.h>

#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

long number_from(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 1000 : std::atol(text);
}

constexpr long kAskVersion = 1, kAskErrata = 2;

// Taken before anybody clears the environment.
const long abi = number_from("OLD_LANDLOCK_ABI"), holds = number_from("LANDLOCK_HOLDS");

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

int rights_of(long version) { return version >= 5 ? 16 : version >= 3 ? 15 : version >= 2 ? 14 : 13; }

// 0, or the error of a kernel that does not know what is asked for.
long refusal(const Attributes* attributes, size_t size) {
  const size_t known = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
  const auto* bytes = reinterpret_cast<const unsigned char*>(attributes);
  for (size_t at = known; at < size; ++at) {
    if (bytes[at] != 0) return -E2BIG;
  }
  return attributes->filesystem >> rights_of(abi) != 0 ? -EINVAL : 0;
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
  if (a[2] != 0 || holds >= abi || holds < 1) return raw(SYS_landlock_create_ruleset, a);
  Attributes less{};
  std::memcpy(&less, reinterpret_cast<const void*>(a[0]), static_cast<size_t>(a[1]));
  less.filesystem &= (uint64_t{1} << rights_of(holds)) - 1;
  if (holds < 4) less.network = 0;
  if (holds < 6) less.scoped = 0;
  return raw(SYS_landlock_create_ruleset, {reinterpret_cast<long>(&less), sizeof less, 0, 0, 0, 0});
}

// Rights that are not handled are no error of the caller's.
long add_rule(const long (&a)[6]) {
  struct __attribute__((packed)) Beneath {
    uint64_t allowed;
    int32_t parent;
  } less{};
  std::memcpy(&less, reinterpret_cast<const void*>(a[2]), sizeof less);
  less.allowed &= (uint64_t{1} << rights_of(holds)) - 1;
  return raw(SYS_landlock_add_rule, {a[0], a[1], reinterpret_cast<long>(&less), a[3], 0, 0});
}

long answer(long number, const long (&a)[6]) {
  if (number == SYS_landlock_create_ruleset) return create_ruleset(a);
  if (number == SYS_landlock_restrict_self && holds < 1) return 0;
  if (number == SYS_landlock_add_rule && holds >= 1) return add_rule(a);
  return raw(number, a);
}

}  // namespace

extern "C" long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  const long result = answer(number, a);
  if (result < 0 && result > -4096) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}
