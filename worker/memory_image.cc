#include "worker/memory_image.h"

#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string>

#include "base/posix_io.h"
#include "base/unique_fd.h"

namespace capsule {
namespace {

constexpr size_t kUntouchedPages = 16;   // in a row: as many as the kernel maps at once around one that is read
constexpr size_t kMapsBytes = 4u << 20;  // of /proc/self/maps: some 40,000 mappings
constexpr size_t kMappingPagesMax = 1u << 20;
constexpr unsigned kNoExecution = 0x8;  // MFD_NOEXEC_SEAL, newer than the headers
constexpr uint64_t kIsFilePage = 1ull << 61, kIsSwapped = 1ull << 62, kIsPresent = 1ull << 63;
constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

// GCC says so with macros, Clang with features.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAPSULE_HAS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAPSULE_HAS_SANITIZER
#endif
#if defined(CAPSULE_HAS_SANITIZER)
constexpr bool kHasSanitizer = true;
#else
constexpr bool kHasSanitizer = false;
#endif

size_t page_bytes() {
  static const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

bool is_written(uint64_t page) { return (page & (kIsPresent | kIsSwapped)) != 0 && (page & kIsFilePage) == 0; }

std::vector<uint64_t> read_pages(int pagemap, const PrivateMapping& mapping) {
  const size_t count = (mapping.end - mapping.begin) / page_bytes();
  if (count > kMappingPagesMax) return {};
  std::vector<uint64_t> pages(count);
  const size_t bytes = count * sizeof(uint64_t);
  const auto at = static_cast<off_t>(mapping.begin / page_bytes() * sizeof(uint64_t));
  return pread(pagemap, pages.data(), bytes, at) == static_cast<ssize_t>(bytes) ? pages : std::vector<uint64_t>();
}

// The data of the program and of each library, with what is read-only since it was relocated. See dl_iterate_phdr(3).
int add_library_data(dl_phdr_info* library, size_t, void* areas) {
  for (size_t i = 0; i < library->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = library->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) == 0) continue;
    const uintptr_t begin = library->dlpi_addr + segment.p_vaddr, end = begin + segment.p_memsz, page = page_bytes();
    static_cast<std::vector<MemoryArea>*>(areas)->push_back({begin / page * page, (end + page - 1) / page * page});
  }
  return 0;
}

std::vector<WrittenRange> find_written_memory(const std::vector<MemoryArea>& areas) {
  std::vector<WrittenRange> found;
  const auto maps = read_file("/proc/self/maps", kMapsBytes);
  const UniqueFd pagemap(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (!maps || !pagemap) return found;
  std::string_view left = *maps;
  while (!left.empty()) {
    const std::string_view line = left.substr(0, left.find('\n'));
    left.remove_prefix(std::min(left.size(), line.size() + 1));
    PrivateMapping mapping;
    if (!parse_private_mapping(line, mapping)) continue;
    for (const PrivateMapping& part : parts_within(mapping, areas)) {
      for (const WrittenRange& range : written_ranges(part, read_pages(pagemap.get(), part))) {
        if (found.size() < kMemoryRangesMax) found.push_back(range);
      }
    }
  }
  return found;
}

UniqueFd make_image() {
  const char* const name = "zygote";
  UniqueFd image(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | kNoExecution));
  if (!image && errno == EINVAL) image = UniqueFd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));  // before 6.3
  return image;
}

bool write_whole(int image, const char* memory, size_t bytes, off_t at) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t wrote = pwrite(image, memory + done, bytes - done, at + static_cast<off_t>(done));
    if (wrote <= 0) return false;
    done += static_cast<size_t>(wrote);
  }
  return true;
}

// Between its copy and its replacement nothing in the range may change, also not what this function itself uses: its
// variables are on the stack, which stays as it is.
bool replace(int image, const WrittenRange& range, off_t at) {
  char* const memory = reinterpret_cast<char*>(range.begin);
  const size_t bytes = range.end - range.begin;
  if (!write_whole(image, memory, bytes, at)) return false;
  // A part of this process is gone when that fails, and with it perhaps what is needed to say so.
  if (mmap(memory, bytes, range.protection, MAP_PRIVATE | MAP_FIXED, image, at) == MAP_FAILED) std::abort();
  return true;
}

}  // namespace

bool parse_private_mapping(std::string_view line, PrivateMapping& mapping) {
  const char* const line_end = line.data() + line.size();
  const auto begin = std::from_chars(line.data(), line_end, mapping.begin, 16);
  if (begin.ec != std::errc{} || begin.ptr == line_end || *begin.ptr != '-') return false;
  const auto end = std::from_chars(begin.ptr + 1, line_end, mapping.end, 16);
  if (end.ec != std::errc{} || mapping.end < mapping.begin) return false;
  const std::string_view rest(end.ptr, static_cast<size_t>(line_end - end.ptr));
  const bool is_writable = rest.starts_with(" rw-p ");
  if (!is_writable && !rest.starts_with(" r--p ")) return false;
  mapping.has_file = rest.find('/') != rest.npos;
  mapping.is_heap = !mapping.has_file && rest.find("[heap]") != rest.npos;
  mapping.protection = is_writable ? PROT_READ | PROT_WRITE : PROT_READ;
  return mapping.has_file || mapping.is_heap || rest.find('[') == rest.npos;  // else the stack, or the kernel's
}

std::vector<PrivateMapping> parts_within(const PrivateMapping& mapping, std::span<const MemoryArea> areas) {
  if (mapping.is_heap) return {mapping};
  std::vector<PrivateMapping> parts;
  for (const MemoryArea& area : areas) {
    PrivateMapping part = mapping;
    part.begin = std::max(mapping.begin, area.begin);
    part.end = std::min(mapping.end, area.end);
    if (part.begin < part.end) parts.push_back(part);
  }
  return parts;
}

std::vector<WrittenRange> written_ranges(const PrivateMapping& mapping, std::span<const uint64_t> pages) {
  std::vector<WrittenRange> found;
  for (size_t i = 0; i < pages.size(); ++i) {
    if (!is_written(pages[i])) continue;
    const uintptr_t at = mapping.begin + i * page_bytes();
    const bool goes_on = !found.empty() && at - found.back().end < kUntouchedPages * page_bytes();
    if (!goes_on) found.push_back({at, at, mapping.protection});
    found.back().end = at + page_bytes();
  }
  if (mapping.has_file && !found.empty()) return {{mapping.begin, mapping.end, mapping.protection}};
  return found;
}

size_t put_memory_into_image(MemoryArea arenas) {
  if (kHasSanitizer) return 0;
  std::vector<MemoryArea> areas{arenas};
  dl_iterate_phdr(add_library_data, &areas);
  const UniqueFd image = make_image();
  if (!image) return 0;
  const std::vector<WrittenRange> ranges = find_written_memory(areas);
  size_t bytes = 0;
  for (const WrittenRange& range : ranges) {
    if (!replace(image.get(), range, static_cast<off_t>(bytes))) break;  // no memory: the rest stays as it was
    bytes += range.end - range.begin;
  }
  fcntl(image.get(), F_ADD_SEALS, kSeals);
  return bytes;
}

}  // namespace capsule
