// A zygote's memory in a file: what of it goes there, and that nobody notices.
#include "worker/memory_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/posix_io.h"

using namespace capsule;

namespace {

constexpr uint64_t kWritten = 1ull << 63, kOfFile = kWritten | 1ull << 61, kSwapped = 1ull << 62, kNever = 0;
constexpr size_t kPages = 64;
const auto kPage = static_cast<size_t>(sysconf(_SC_PAGESIZE));
constexpr uintptr_t kBegin = 0x10000000;
const PrivateMapping kAnonymous{kBegin, kBegin + kPages* kPage, PROT_READ | PROT_WRITE, false, false};
const PrivateMapping kLibrary{kBegin, kBegin + kPages* kPage, PROT_READ, true, false};

std::vector<uint64_t> pages(std::initializer_list<std::pair<size_t, uint64_t>> written) {
  std::vector<uint64_t> all(kPages, kNever);
  for (const auto& [at, what] : written) all[at] = what;
  return all;
}

WrittenRange range(size_t first, size_t end, int protection = PROT_READ | PROT_WRITE) {
  return {kBegin + first * kPage, kBegin + end * kPage, protection};
}

// Between two pages that nobody has, so that it is one mapping by itself.
char* map(size_t bytes) {
  void* const all = mmap(nullptr, bytes + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(all != MAP_FAILED);
  char* const memory = static_cast<char*>(all) + kPage;
  REQUIRE(mprotect(memory, bytes, PROT_READ | PROT_WRITE) == 0);
  return memory;
}

// Of a mapping that begins there, from /proc/self/smaps: a line's value in KiB.
uint64_t smaps_kib(const void* begin, const std::string& name) {
  std::string text = read_file("/proc/self/smaps", 16u << 20).value();
  char address[32];
  std::snprintf(address, sizeof address, "\n%lx-", reinterpret_cast<unsigned long>(begin));
  const size_t at = text.find(address);
  if (at == std::string::npos) return UINT64_MAX;
  return std::strtoull(text.c_str() + text.find(name, at) + name.size(), nullptr, 10);
}

// What is put into a file stays there: a process of its own for each try. It says 0 when all is as it should be.
int in_child(const std::function<int()>& what) {
  const pid_t pid = fork();
  if (pid == 0) _exit(what());
  int status = -1;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string static_text = "static";

MemoryArea area(const char* memory, size_t bytes) {
  return {reinterpret_cast<uintptr_t>(memory), reinterpret_cast<uintptr_t>(memory) + bytes};
}

bool can() {
  return in_child([] { return put_memory_into_image({}) > 0 ? 0 : 1; }) == 0;
}

#define REQUIRE_IMAGES()                                                      \
  if (!can()) {                                                               \
    WARN("not tested: with a sanitizer a zygote's memory stays where it is"); \
    return;                                                                   \
  }

}  // namespace

TEST_CASE("a line of maps is private memory without code, and no stack", "[memory_image]") {
  PrivateMapping mapping;
  CHECK(parse_private_mapping("7f00-8f00 rw-p 00000000 00:00 0 ", mapping));
  CHECK((mapping.begin == 0x7f00 && mapping.end == 0x8f00 && !mapping.has_file));
  CHECK(mapping.protection == (PROT_READ | PROT_WRITE));
  CHECK(parse_private_mapping("1000-2000 rw-p 00000000 00:00 0    [heap]", mapping));
  CHECK((mapping.is_heap && !mapping.has_file));
  CHECK(parse_private_mapping("1000-2000 r--p 00001000 fe:00 77   /usr/lib/libc.so.6", mapping));
  CHECK((mapping.has_file && !mapping.is_heap && mapping.protection == PROT_READ));
  CHECK(parse_private_mapping("1000-2000 rw-p 00001000 fe:00 77   /usr/lib/[odd].so", mapping));
  for (const char* other : {"1000-2000 rw-p 00000000 00:00 0    [stack]", "1000-2000 r--p 00000000 00:00 0    [vvar]",
                            "1000-2000 r-xp 00000000 fe:00 77   /usr/lib/libc.so.6", "1000-2000 ---p 00000000 00:00 0 ",
                            "1000-2000 rw-s 00000000 00:05 77   /dev/shm/x", "1000-2000", "1000", "x", ""}) {
    CAPTURE(other);
    CHECK_FALSE(parse_private_mapping(other, mapping));
  }
}

TEST_CASE("of a mapping goes what is in an area, and all of the heap", "[memory_image]") {
  const auto areas = std::vector<MemoryArea>{{0x1000, 0x3000}, {0x5000, 0x9000}};
  const auto within = [&](uintptr_t begin, uintptr_t end, bool is_heap = false) {
    std::vector<std::pair<uintptr_t, uintptr_t>> found;
    for (const PrivateMapping& part : parts_within({begin, end, PROT_READ, false, is_heap}, areas)) {
      found.emplace_back(part.begin, part.end);
    }
    return found;
  };
  using Parts = std::vector<std::pair<uintptr_t, uintptr_t>>;
  CHECK(within(0x3000, 0x5000).empty());
  CHECK(within(0x9000, 0xa000).empty());
  CHECK(within(0x1000, 0x2000) == Parts{{0x1000, 0x2000}});
  CHECK(within(0x0000, 0xf000) == Parts{{0x1000, 0x3000}, {0x5000, 0x9000}});
  CHECK(within(0x2000, 0x6000) == Parts{{0x2000, 0x3000}, {0x5000, 0x6000}});
  CHECK(within(0x3000, 0x5000, true) == Parts{{0x3000, 0x5000}});
}

TEST_CASE("what was written goes, and what was never touched for 16 pages does not", "[memory_image]") {
  using Ranges = std::vector<WrittenRange>;
  CHECK(written_ranges(kAnonymous, pages({})).empty());
  CHECK(written_ranges(kAnonymous, pages({{3, kWritten}})) == Ranges{range(3, 4)});
  CHECK(written_ranges(kAnonymous, pages({{3, kSwapped}})) == Ranges{range(3, 4)});
  CHECK(written_ranges(kAnonymous, pages({{3, kWritten}, {19, kWritten}})) == Ranges{range(3, 20)});
  CHECK(written_ranges(kAnonymous, pages({{3, kWritten}, {20, kWritten}})) == Ranges{range(3, 4), range(20, 21)});
  CHECK(written_ranges(kAnonymous, pages({{0, kWritten}, {63, kWritten}})) == Ranges{range(0, 1), range(63, 64)});
}

TEST_CASE("a library's data goes as a whole when a page of it was written, and not else", "[memory_image]") {
  const std::vector<WrittenRange> whole{range(0, kPages, PROT_READ)};
  CHECK(written_ranges(kLibrary, pages({{1, kOfFile}, {2, kOfFile}})).empty());
  CHECK(written_ranges(kLibrary, pages({{1, kOfFile}, {2, kWritten}, {63, kWritten}})) == whole);
}

TEST_CASE("memory that is in a file now holds what it held", "[memory_image]") {
  REQUIRE_IMAGES();
  CHECK(in_child([] {
          const std::string text(100'000, 'h');
          char* const memory = map(4u << 20);
          std::memset(memory, 'm', 4u << 20);
          if (put_memory_into_image(area(memory, 4u << 20)) < (4u << 20)) return 1;
          if (std::string_view(memory, 4u << 20).find_first_not_of('m') != std::string_view::npos) return 2;
          if (text.find_first_not_of('h') != std::string::npos || static_text != "static") return 3;
          // And the heap goes on as a heap: the part that was, and new parts.
          std::vector<std::string> more;
          for (size_t i = 0; i < 2000; ++i) more.emplace_back(i * 7, 'x');
          const std::unique_ptr<char, decltype(&free)> zeros(static_cast<char*>(calloc(1u << 20, 1)), &free);
          for (size_t i = 0; i < 1u << 20; ++i) {
            if (zeros.get()[i] != 0) return 4;
          }
          return more.back() == std::string(1999 * 7, 'x') ? 0 : 5;
        }) == 0);
}

TEST_CASE("a page is a process's own once it writes there, and only then", "[memory_image]") {
  REQUIRE_IMAGES();
  CHECK(in_child([] {
          char* const memory = map(1u << 20);
          std::memset(memory, 'm', 1u << 20);
          put_memory_into_image(area(memory, 1u << 20));
          if (smaps_kib(memory, "Anonymous:") != 0) return 1;
          const int other = in_child([memory] {
            std::memset(memory, 'o', kPage);
            return smaps_kib(memory, "Anonymous:") == kPage / 1024 ? 0 : 1;
          });
          if (other != 0) return 2;
          return memory[0] == 'm' && smaps_kib(memory, "Anonymous:") == 0 ? 0 : 3;
        }) == 0);
}

TEST_CASE("what was never touched takes no memory in the file", "[memory_image]") {
  REQUIRE_IMAGES();
  CHECK(in_child([] {
          constexpr size_t kLarge = 64u << 20;
          char* const memory = map(kLarge);
          memory[0] = memory[kLarge - 1] = 'm';
          if (put_memory_into_image(area(memory, kLarge)) >= kLarge) return 1;
          return memory[0] == 'm' && memory[kLarge - 1] == 'm' && memory[kLarge / 2] == 0 ? 0 : 2;
        }) == 0);
}

TEST_CASE("memory that something else has mapped stays what it is", "[memory_image]") {
  REQUIRE_IMAGES();
  CHECK(in_child([] {
          constexpr size_t kSize = 1u << 20;
          const auto block = std::unique_ptr<char, decltype(&free)>(static_cast<char*>(malloc(kSize)), &free);
          char* const memory = map(kSize);
          std::memset(block.get(), 'b', kSize);
          std::memset(memory, 'm', kSize);
          put_memory_into_image({});
          if (smaps_kib(memory, "Anonymous:") != kSize / 1024 || block.get()[kSize - 1] != 'b') return 1;
          if (madvise(memory, kPage, MADV_DONTNEED) != 0 || memory[0] != 0) return 2;
          char* const larger = static_cast<char*>(mremap(memory, kSize, 64 * kSize, MREMAP_MAYMOVE));
          return larger != MAP_FAILED && larger[kSize - 1] == 'm' && larger[64 * kSize - 1] == 0 ? 0 : 3;
        }) == 0);
}

TEST_CASE("nobody can write to the file that the memory is in", "[memory_image]") {
  REQUIRE_IMAGES();
  CHECK(in_child([] {
          char* const memory = map(1u << 20);
          std::memset(memory, 'm', 1u << 20);
          const int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
          close(before);
          put_memory_into_image(area(memory, 1u << 20));
          const int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
          if (before != after) return 1;  // a descriptor was left
          char path[96];
          const auto at = reinterpret_cast<unsigned long>(memory);
          std::snprintf(path, sizeof path, "/proc/self/map_files/%lx-%lx", at, at + (1u << 20));
          const int image = open(path, O_RDWR | O_CLOEXEC);
          if (image < 0) return geteuid() == 0 ? 2 : 0;  // only root has that way
          return pwrite(image, "x", 1, 0) < 0 && ftruncate(image, 0) != 0 && memory[0] == 'm' ? 0 : 3;
        }) == 0);
}
