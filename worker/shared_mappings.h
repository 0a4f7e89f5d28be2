// Memory that a copy of this process would share with it, and with others, instead of having it for itself; and how a
// copy with files of its own maps these.
//
// The list of all mappings takes the kernel longer than a small fork (half a millisecond for the 400 of a process with
// numpy), so Linux 6.11 and later are asked for the shared ones alone (PROCMAP_QUERY, proc_pid_maps(5)). Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace capsule {

inline constexpr size_t kSharedMappingsMax = 1024;  // those beyond are not looked at

// Of Linux's fs.h, which is too old in Debian 12.
struct ProcmapQuery {
  uint64_t size, flags, address;
  uint64_t start, end, permissions, page_size, offset, inode;
  uint32_t device_major, device_minor, name_size, build_id_size;
  uint64_t name_address, build_id_address;
};
inline constexpr unsigned long kProcmapQuery = 0xc0686611;  // _IOWR('f', 17, struct procmap_query)

struct SharedMapping {
  uint64_t start = 0, end = 0, offset = 0;  // bytes
  int protection = 0;                       // PROT_READ and so on
  std::string name;                         // of the file; as the kernel tells it, also "/dev/zero (deleted)"
  bool operator==(const SharedMapping&) const = default;
};

// In the order of addresses.
std::vector<SharedMapping> shared_mappings();

// Both ways to know them. Nothing: this kernel cannot be asked.
std::optional<std::vector<SharedMapping>> query_shared_mappings();
std::vector<SharedMapping> read_shared_mappings();

// Maps what has that name by now in its place.
void map_anew(const SharedMapping& mapping);

}  // namespace capsule
