// A heap full of holes, and where the next blocks come from.
#include "worker/heap_holes.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <vector>

using namespace capsule;

namespace {

constexpr size_t kBlocks = 20'000;
constexpr size_t kNewBlocks = 120;
constexpr size_t kPageBytes = 4096;
constexpr std::array<size_t, 6> kSizes{24, 40, 100, 250, 700, 3000};

// The blocks are kept: the test ends with the process.
size_t pages_of_new_blocks() {
  std::set<uintptr_t> pages;
  for (size_t i = 0; i < kNewBlocks; ++i) {
    void* const block = malloc(kSizes[i % kSizes.size()]);
    REQUIRE(block != nullptr);
    pages.insert(reinterpret_cast<uintptr_t>(block) / kPageBytes);
  }
  return pages.size();
}

void make_holes() {
  std::vector<void*> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(malloc(kSizes[i % kSizes.size()]));
  std::shuffle(blocks.begin(), blocks.end(), std::mt19937(1));
  for (size_t i = 0; i < kBlocks / 2; ++i) free(blocks[i]);
}

}  // namespace

TEST_CASE("after its holes are filled, a heap gives blocks side by side", "[heap_holes]") {
  const auto some = std::make_unique<int>(1);
  if (some.get() > sbrk(0)) {
    CHECK(fill_heap_holes() == 0);  // a sanitizer's malloc, which is left alone
    return;
  }
  make_holes();
  const size_t scattered = pages_of_new_blocks();
  CHECK(fill_heap_holes() > kBlocks / 10);
  const size_t side_by_side = pages_of_new_blocks();
  const size_t bytes = std::accumulate(kSizes.begin(), kSizes.end(), size_t{0}) * kNewBlocks / kSizes.size();
  CHECK(side_by_side <= bytes / kPageBytes + 4);
  CHECK(side_by_side < scattered);
}
