#include "worker/large_pages.h"

#include <sys/mman.h>

#include <charconv>
#include <string>
#include <string_view>

#include "base/posix_io.h"

namespace capsule {
namespace {

constexpr int kCollapse = 25;            // MADV_COLLAPSE, newer than the headers
constexpr size_t kMapsBytes = 4u << 20;  // of /proc/self/maps: some 40,000 mappings

struct Mapping {
  char* begin = nullptr;
  char* end = nullptr;
  bool is_anonymous_and_writable = false;
};

// proc(5): "begin-end perms offset device inode path"
Mapping parse(std::string_view line) {
  uint64_t begin = 0, end = 0;
  const auto first = std::from_chars(line.data(), line.data() + line.size(), begin, 16);
  if (first.ec != std::errc{} || first.ptr == line.data() + line.size()) return {};
  const auto second = std::from_chars(first.ptr + 1, line.data() + line.size(), end, 16);
  if (second.ec != std::errc{}) return {};
  const std::string_view rest = line.substr(static_cast<size_t>(second.ptr - line.data()));
  const bool is_writable = rest.starts_with(" rw-p ");
  const bool has_file = rest.find('/') != std::string_view::npos;
  return {reinterpret_cast<char*>(begin), reinterpret_cast<char*>(end), is_writable && !has_file};
}

size_t collapse(const Mapping& mapping) {
  size_t bytes = 0;
  for (char* at = round_up_to_large_page(mapping.begin); at < mapping.end; at += kLargePageBytes) {
    if (static_cast<size_t>(mapping.end - at) < kLargePageBytes) break;
    if (madvise(at, kLargePageBytes, kCollapse) == 0) bytes += kLargePageBytes;
  }
  return bytes;
}

}  // namespace

size_t use_large_pages() {
  const auto maps = read_file("/proc/self/maps", kMapsBytes);
  if (!maps) return 0;
  size_t bytes = 0;
  std::string_view left = *maps;
  while (!left.empty()) {
    const Mapping mapping = parse(left.substr(0, left.find('\n')));
    if (mapping.is_anonymous_and_writable) bytes += collapse(mapping);
    const size_t line_end = left.find('\n');
    left.remove_prefix(line_end == std::string_view::npos ? left.size() : line_end + 1);
  }
  return bytes;
}

}  // namespace capsule
