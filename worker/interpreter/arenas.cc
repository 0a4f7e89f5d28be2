#include "worker/interpreter/arenas.h"

#include <Python.h>
#include <sys/mman.h>

#include <cstdint>

namespace capsule::interpreter {
namespace {

constexpr size_t kRangeBytes = 512u << 20;    // of addresses; memory only as far as arenas are taken
constexpr size_t kLargePageBytes = 2u << 20;  // of x86-64, and of arm64 with pages of 4 KiB
constexpr size_t kSmallArenas = 8;            // a program that needs no more than those gets no large page

struct Range {
  char* begin = nullptr;  // of addresses
  char* next = nullptr;
  char* end = nullptr;
  char* usable_end = nullptr;  // up to here it is memory
};

PyObjectArenaAllocator plain{};
bool gathering = false;
Range gathered;  // of the zygote
Range large;     // of what is forked of it
size_t taken = 0;

bool reserve(Range& range) {
  void* const start = mmap(nullptr, kRangeBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return false;
  char* const begin = static_cast<char*>(start);
  range = {begin, begin, begin + kRangeBytes, begin};
  return true;
}

void* take_from(Range& range, size_t bytes, size_t step) {
  if (static_cast<size_t>(range.usable_end - range.next) < bytes) {
    if (static_cast<size_t>(range.end - range.usable_end) < step) return nullptr;
    if (mprotect(range.usable_end, step, PROT_READ | PROT_WRITE) != 0) return nullptr;
    range.usable_end += step;
  }
  char* const arena = range.next;
  range.next += bytes;
  return arena;
}

// What was reserved begins at a large page then; the part before it is left unused.
bool reserve_large() {
  if (!reserve(large)) return false;
  const auto past = reinterpret_cast<uintptr_t>(large.next) % kLargePageBytes;
  if (past != 0) large.next = large.usable_end = large.next + (kLargePageBytes - past);
  (void)madvise(large.next, static_cast<size_t>(large.end - large.next), MADV_HUGEPAGE);
  return true;
}

void* take_large(size_t bytes) {
  if (kLargePageBytes % bytes != 0) return nullptr;
  if (void* const arena = take_from(large, bytes, kLargePageBytes)) return arena;
  const bool is_full = static_cast<size_t>(large.end - large.usable_end) < kLargePageBytes;
  return is_full && reserve_large() ? take_from(large, bytes, kLargePageBytes) : nullptr;
}

void* take_arena(void*, size_t bytes) {
  void* arena = nullptr;
  if (gathering) {
    arena = take_from(gathered, bytes, bytes);
  } else if (taken++ >= kSmallArenas) {
    arena = take_large(bytes);
  }
  return arena != nullptr ? arena : plain.alloc(plain.ctx, bytes);
}

// Unmaps, wherever it came from.
void give_back_arena(void*, void* arena, size_t bytes) { plain.free(plain.ctx, arena, bytes); }

}  // namespace

void gather_arenas() {
  if (!reserve(gathered)) return;
  PyObject_GetArenaAllocator(&plain);
  PyObjectArenaAllocator own{nullptr, take_arena, give_back_arena};
  PyObject_SetArenaAllocator(&own);
  gathering = true;
}

void stop_gathering_arenas() {
  if (!gathering) return;
  gathering = false;
  munmap(gathered.usable_end, static_cast<size_t>(gathered.end - gathered.usable_end));
}

MemoryArea gathered_arenas() {
  return {reinterpret_cast<uintptr_t>(gathered.begin), reinterpret_cast<uintptr_t>(gathered.usable_end)};
}

}  // namespace capsule::interpreter
