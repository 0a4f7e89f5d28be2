// The memory of a zygote in large pages, so that a fork of it copies one entry where it copied 512: of every capsule
// and every worker that is forked, that is the larger part of the fork. A child that writes to such a page gets a copy
// of 4 KiB, as ever. Best effort: a kernel before 6.1, or one without free large pages, leaves small ones.
// docs/decisions/0012-what-a-first-run-waits-for.md.
#pragma once

#include <cstddef>
#include <cstdint>

namespace capsule {

inline constexpr size_t kLargePageBytes = 2u << 20;  // of x86-64 and of arm64 with pages of 4 KiB

inline char* round_up_to_large_page(char* address) {
  const auto value = reinterpret_cast<uintptr_t>(address);
  return address + ((kLargePageBytes - value % kLargePageBytes) % kLargePageBytes);
}

// All writable anonymous memory of this process: its heap and what was mapped beside it. Takes a quarter of a
// millisecond a MiB, mostly copying. Gives the bytes that are in large pages now.
size_t use_large_pages();

}  // namespace capsule
