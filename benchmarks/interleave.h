// Runs subjects side by side: A B C, C B A, A B C, ... so that what the machine does meanwhile falls on all of them.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "benchmarks/samples.h"

namespace capsule::bench {

// Measures a subject a few times and checks what it did; an error ends the benchmark without a number.
using Block = std::function<Result<std::vector<double>>()>;

// One block of each as warm-up, which is thrown away, then `rounds` times all of them; as many Samples as blocks.
Result<std::vector<Samples>> interleave(const std::vector<Block>& blocks, size_t rounds);

}  // namespace capsule::bench
