// A zygote's memory in large pages, in this process.
#include "worker/large_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "base/posix_io.h"

using namespace capsule;

namespace {

constexpr int kCollapse = 25;  // MADV_COLLAPSE
constexpr size_t kBytes = 4 * kLargePageBytes;

// What a heap of that size is: read and written, in small pages.
char* map_small_pages() {
  void* const memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  std::memset(memory, 'x', kBytes);
  return static_cast<char*>(memory);
}

bool kernel_can() {
  char* const memory = map_small_pages();
  const bool can = madvise(round_up_to_large_page(memory), kLargePageBytes, kCollapse) == 0;
  munmap(memory, kBytes);
  return can;
}

uint64_t large_kib() {
  const auto text = read_file("/proc/self/smaps_rollup", 4096);
  REQUIRE(text);
  const size_t at = text->find("AnonHugePages:");
  REQUIRE(at != std::string::npos);
  return std::strtoull(text->c_str() + at + std::strlen("AnonHugePages:"), nullptr, 10);
}

}  // namespace

TEST_CASE("what is mapped goes into large pages and keeps its content", "[large_pages]") {
  if (!kernel_can()) {
    WARN("not tested: this kernel gives no large pages (before 6.1, or without them)");
    return;
  }
  char* const memory = map_small_pages();
  const uint64_t before_kib = large_kib();
  const size_t bytes = use_large_pages();
  CHECK(bytes >= kBytes - kLargePageBytes);
  CHECK(large_kib() >= before_kib + (kBytes - kLargePageBytes) / 1024);
  CHECK(std::string_view(memory, kBytes).find_first_not_of('x') == std::string_view::npos);
  munmap(memory, kBytes);
}

TEST_CASE("addresses are rounded up to a large page", "[large_pages]") {
  char* const whole = reinterpret_cast<char*>(kLargePageBytes);
  CHECK(round_up_to_large_page(whole) == whole);
  CHECK(round_up_to_large_page(whole - 1) == whole);
  CHECK(round_up_to_large_page(whole + 1) == whole + kLargePageBytes);
}
