#include "worker/shared_mappings.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <sstream>

#include "base/posix_io.h"
#include "base/unique_fd.h"

namespace capsule {
namespace {

constexpr size_t kMapsBytes = 4u << 20;
const char* const kMaps = "/proc/self/maps";

constexpr uint64_t kReadable = 0x01, kWritable = 0x02, kExecutable = 0x04, kShared = 0x08, kOrNext = 0x10;
static_assert(sizeof(ProcmapQuery) == ((kProcmapQuery >> _IOC_SIZESHIFT) & _IOC_SIZEMASK));

int protection(bool read, bool write, bool execute) {
  return (read ? PROT_READ : 0) | (write ? PROT_WRITE : 0) | (execute ? PROT_EXEC : 0);
}

// proc(5): "from-to rw-s offset device inode   name".
std::optional<SharedMapping> parse_line(const std::string& line) {
  unsigned long from = 0, to = 0, offset = 0;
  std::array<char, 5> how{};
  if (std::sscanf(line.c_str(), "%lx-%lx %4s %lx", &from, &to, how.data(), &offset) != 4) return std::nullopt;
  if (how[3] != 's') return std::nullopt;
  const size_t name = line.find('/');
  return SharedMapping{from, to, offset, protection(how[0] == 'r', how[1] == 'w', how[2] == 'x'),
                       name == std::string::npos ? std::string() : line.substr(name)};
}

}  // namespace

std::optional<std::vector<SharedMapping>> query_shared_mappings() {
  const UniqueFd maps(open(kMaps, O_RDONLY | O_CLOEXEC));
  if (!maps) return std::nullopt;
  std::vector<SharedMapping> found;
  std::array<char, PATH_MAX> name;
  for (uint64_t address = 0; found.size() < kSharedMappingsMax;) {
    ProcmapQuery query{};
    query.size = sizeof query;
    query.flags = kShared | kOrNext;
    query.address = address;
    query.name_address = reinterpret_cast<uint64_t>(name.data());
    query.name_size = name.size();
    if (ioctl(maps.get(), kProcmapQuery, &query) != 0) {
      if (errno == ENOENT) break;
      return std::nullopt;
    }
    const auto is = [&query](uint64_t flag) { return (query.permissions & flag) != 0; };
    found.push_back({query.start, query.end, query.offset, protection(is(kReadable), is(kWritable), is(kExecutable)),
                     std::string(name.data(), query.name_size == 0 ? 0 : query.name_size - 1)});  // with its end
    address = query.end;
  }
  return found;
}

std::vector<SharedMapping> read_shared_mappings() {
  std::vector<SharedMapping> found;
  const auto text = read_file(kMaps, kMapsBytes);
  if (!text) return found;
  std::istringstream lines(*text);
  for (std::string line; found.size() < kSharedMappingsMax && std::getline(lines, line);) {
    if (auto mapping = parse_line(line)) found.push_back(std::move(*mapping));
  }
  return found;
}

std::vector<SharedMapping> shared_mappings() {
  auto asked = query_shared_mappings();
  return asked ? std::move(*asked) : read_shared_mappings();
}

// What may be written to and cannot be had under its name is taken away: else both would go on to write to one file.
void map_anew(const SharedMapping& mapping) {
  void* const at = reinterpret_cast<void*>(mapping.start);
  const size_t bytes = mapping.end - mapping.start;
  const bool is_written = (mapping.protection & PROT_WRITE) != 0;
  const UniqueFd file(open(mapping.name.c_str(), (is_written ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_CLOEXEC));
  struct stat facts {};
  if (file && fstat(file.get(), &facts) == 0 && S_ISREG(facts.st_mode) &&
      mmap(at, bytes, mapping.protection, MAP_SHARED | MAP_FIXED, file.get(), static_cast<off_t>(mapping.offset)) !=
          MAP_FAILED) {
    return;
  }
  if (is_written) (void)mmap(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

}  // namespace capsule
