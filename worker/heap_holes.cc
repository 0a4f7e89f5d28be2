#include "worker/heap_holes.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace capsule {
namespace {

constexpr size_t kLargestBytes = 64u << 10;  // larger ones go back to the kernel, or are mapped on their own
constexpr size_t kSmallestBytes = 24;        // what glibc's smallest block holds
constexpr size_t kSmallStepBytes = 16;       // from block size to block size
constexpr size_t kSmallBytes = 1032;         // of the blocks that come in such steps
constexpr size_t kBlocksMax = 4u << 20;      // a heap of such holes would be a gigabyte

// Where the part begins that nobody has used yet.
uintptr_t top_of_heap() {
  const auto end = reinterpret_cast<uintptr_t>(sbrk(0));
  return end - mallinfo2().keepcost;
}

// A sanitizer's malloc has places of its own.
bool malloc_uses_heap() {
  const std::unique_ptr<char, decltype(&free)> probe(static_cast<char*>(malloc(kSmallestBytes)), &free);
  return probe.get() < sbrk(0);
}

size_t next_smaller(size_t bytes) {
  return bytes > kSmallBytes ? std::max(kSmallBytes, bytes - bytes / 8) : bytes - kSmallStepBytes;
}

}  // namespace

// From large to small: a hole that is too small for one size takes the next.
size_t fill_heap_holes() {
  const uintptr_t top = top_of_heap();
  size_t filled = 0;
  if (!malloc_uses_heap()) return filled;
  for (size_t bytes = kLargestBytes; bytes >= kSmallestBytes; bytes = next_smaller(bytes)) {
    for (; filled < kBlocksMax; ++filled) {
      void* const block = malloc(bytes);
      if (block == nullptr) return filled;
      if (reinterpret_cast<uintptr_t>(block) < top) continue;  // kept for good, that is the point of it
      if (bytes > kSmallBytes) free(block);                    // a smaller one would be cached, and be a hole itself
      break;
    }
  }
  return filled;
}

}  // namespace capsule
