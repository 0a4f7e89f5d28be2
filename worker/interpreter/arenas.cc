#include "worker/interpreter/arenas.h"

#include <Python.h>
#include <sys/mman.h>

namespace capsule::interpreter {
namespace {

constexpr size_t kRangeBytes = 512u << 20;  // of addresses; memory only as far as arenas are taken

struct Range {
  char* next = nullptr;  // none: not gathering
  char* end = nullptr;
  PyObjectArenaAllocator plain{};
};
Range range;

void* take_arena(void*, size_t bytes) {
  if (range.next != nullptr && static_cast<size_t>(range.end - range.next) >= bytes &&
      mprotect(range.next, bytes, PROT_READ | PROT_WRITE) == 0) {
    void* const taken = range.next;
    range.next += bytes;
    return taken;
  }
  return range.plain.alloc(range.plain.ctx, bytes);
}

// Unmaps, wherever it came from.
void give_back_arena(void*, void* arena, size_t bytes) { range.plain.free(range.plain.ctx, arena, bytes); }

}  // namespace

void gather_arenas() {
  void* const start = mmap(nullptr, kRangeBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return;
  PyObject_GetArenaAllocator(&range.plain);
  range.next = static_cast<char*>(start);
  range.end = range.next + kRangeBytes;
  PyObjectArenaAllocator gathering{nullptr, take_arena, give_back_arena};
  PyObject_SetArenaAllocator(&gathering);
}

void stop_gathering_arenas() {
  if (range.next == nullptr) return;
  munmap(range.next, static_cast<size_t>(range.end - range.next));
  range.next = nullptr;
}

}  // namespace capsule::interpreter
