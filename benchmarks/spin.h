// A program that only computes: what a sandbox must not slow down. Leaves the CPU seconds it took in `took`.
#pragma once

namespace capsule::bench {

inline constexpr const char* kSpinProgram =
    "import time\n"
    "def spin(n):\n"
    "    a, b = 0, 1\n"
    "    for i in range(n):\n"
    "        a, b = b, (a + b) & 0xFFFFFFFF\n"
    "    return a\n"
    "spin(1000)\n"
    "began = time.process_time()\n"
    "spin(2000000)\n"
    "took = time.process_time() - began\n";

}  // namespace capsule::bench
