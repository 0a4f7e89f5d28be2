// A program that only computes: what a sandbox must not slow down. A module, because a profile can preload it: the
// zygote, which no sandbox holds, times it when it starts, and its workers, which are forks of that very process, time
// it again.
#pragma once

namespace capsule::bench {

inline constexpr const char* kSpinModule = "capsule_bench_spin";
inline constexpr const char* kSpinProgram =
    "import time\n"
    "def spin(n):\n"
    "    a, b = 0, 1\n"
    "    for i in range(n):\n"
    "        a, b = b, (a + b) & 0xFFFFFFFF\n"
    "    return a\n"
    "def timed():\n"
    "    began = time.process_time()\n"
    "    spin(2000000)\n"
    "    return time.process_time() - began\n"
    "spin(1000)\n"
    "outside = [timed() for _ in range(3)]\n";
// CPU seconds: here, then those of the zygote.
inline constexpr const char* kSpinRun =
    "import capsule_bench_spin as it; ' '.join(str(took) for took in [it.timed(), *it.outside])";

}  // namespace capsule::bench
