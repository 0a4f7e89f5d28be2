#include "benchmarks/interleave.h"

namespace capsule::bench {

Result<std::vector<Samples>> interleave(const std::vector<Block>& blocks, size_t rounds) {
  std::vector<Samples> samples(blocks.size());
  for (const Block& block : blocks) {
    if (auto warm_up = block(); !warm_up) return tl::unexpected(warm_up.error());
  }
  for (size_t round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < blocks.size(); ++i) {
      const size_t turn = round % 2 == 0 ? i : blocks.size() - 1 - i;
      Result<std::vector<double>> measured = blocks[turn]();
      if (!measured) return tl::unexpected(measured.error());
      samples[turn].rounds.push_back(std::move(*measured));
    }
  }
  return samples;
}

}  // namespace capsule::bench
