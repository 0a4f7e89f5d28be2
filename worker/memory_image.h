// The memory that a zygote has written, put into a file without a name from which the zygote and all that is forked of
// it have it mapped, each with its own changes. A fork copies what a process has written itself; what is in a file it
// finds there. So it copies neither the interpreter's heap nor the data of its libraries, and not the kernel's notes of
// who forked whom either, which grow from fork to fork (docs/decisions/0027-the-memory-of-a-zygote-is-a-file.md).
//
// Only memory whose owner is known goes there: what the kernel does to a mapping of a file differs from what it does to
// one of nothing. mremap(2) lets it grow past the file's end, and MADV_DONTNEED brings back what it held. Neither is
// done to malloc's heap, to Python's arenas and to the data of libraries; both are to large blocks and to what a
// preloaded module has mapped.
//
// Nobody can write to the file afterwards: its descriptor is closed, and it is sealed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace capsule {

struct MemoryArea {  // whole pages
  uintptr_t begin = 0, end = 0;
};

struct WrittenRange {
  uintptr_t begin = 0, end = 0;
  int protection = 0;
  bool operator==(const WrittenRange&) const = default;
};

inline constexpr size_t kMemoryRangesMax = 8192;  // what is beyond stays as it was

// One line of /proc/PID/maps, if it is of memory whose pages may be a process's own: private, without code, and no
// stack. See proc(5).
struct PrivateMapping {
  uintptr_t begin = 0, end = 0;
  int protection = 0;
  bool has_file = false;
  bool is_heap = false;  // malloc's, which brk(2) moves
};
bool parse_private_mapping(std::string_view line, PrivateMapping& mapping);

// What of a mapping lies in one of these areas; all of it, if it is the heap.
std::vector<PrivateMapping> parts_within(const PrivateMapping& mapping, std::span<const MemoryArea> areas);

// What of a mapping was written: `pages` are its entries of /proc/PID/pagemap, one a page (pagemap.rst in the kernel's
// documentation). A library's data goes as a whole. Of other memory a range ends where 16 pages in a row were never
// touched: they would be taken the first time that a child does.
std::vector<WrittenRange> written_ranges(const PrivateMapping& mapping, std::span<const uint64_t> pages);

// Of this process, which has one thread: its heap, the data of its libraries, and Python's arenas, which lie there.
// Takes a quarter of a millisecond a MiB. Gives the bytes that are in the file now; 0 where there can be no such file,
// and with a sanitizer, whose memory is terabytes.
size_t put_memory_into_image(MemoryArea arenas);

}  // namespace capsule
