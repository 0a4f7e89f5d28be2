#include "worker/shared_mappings.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <sstream>

#include "base/posix_io.h"
#include "base/unique_fd.h"

namespace capsule {
namespace {

constexpr size_t kMapsBytes = 4u << 20;
const char* const kMaps = "/proc/self/maps";

constexpr uint64_t kWritable = 0x02, kShared = 0x08, kOrNext = 0x10;
static_assert(sizeof(ProcmapQuery) == ((kProcmapQuery >> _IOC_SIZESHIFT) & _IOC_SIZEMASK));

}  // namespace

std::optional<std::vector<std::string>> query_shared_mappings() {
  const UniqueFd maps(open(kMaps, O_RDONLY | O_CLOEXEC));
  if (!maps) return std::nullopt;
  std::vector<std::string> names;
  std::array<char, PATH_MAX> name;
  for (uint64_t address = 0; names.size() < kSharedMappingsMax;) {
    ProcmapQuery query{};
    query.size = sizeof query;
    query.flags = kWritable | kShared | kOrNext;
    query.address = address;
    query.name_address = reinterpret_cast<uint64_t>(name.data());
    query.name_size = name.size();
    if (ioctl(maps.get(), kProcmapQuery, &query) != 0) {
      if (errno == ENOENT) break;
      return std::nullopt;
    }
    names.emplace_back(name.data(), query.name_size == 0 ? 0 : query.name_size - 1);  // with its end
    address = query.end;
  }
  return names;
}

// proc(5): "from-to rw-s offset device inode   name".
std::vector<std::string> read_shared_mappings() {
  std::vector<std::string> names;
  const auto text = read_file(kMaps, kMapsBytes);
  if (!text) return names;
  std::istringstream lines(*text);
  for (std::string line; names.size() < kSharedMappingsMax && std::getline(lines, line);) {
    const size_t at = line.find(' ');
    if (at == std::string::npos || line.size() < at + 5 || line[at + 2] != 'w' || line[at + 4] != 's') continue;
    const size_t name = line.find('/', at);
    names.push_back(name == std::string::npos ? std::string() : line.substr(name));
  }
  return names;
}

std::vector<std::string> shared_mappings() {
  auto asked = query_shared_mappings();
  return asked ? std::move(*asked) : read_shared_mappings();
}

}  // namespace capsule
