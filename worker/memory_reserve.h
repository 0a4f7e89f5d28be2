// Room to begin a run, and to say how it ended, when a program has allocated all that it may. A worker's hard limit of
// data is kReservedBytes above the soft one that programs meet. The soft one is raised to it whenever no program runs,
// when code of a program has raised something, and when a part of the worker itself finds no memory. After a run that
// needed it the next one may have a little more than is in use, to give some back. A program that raises the limit
// itself and uses all harms its own session only; one that lowers it keeps what it chose.
//
// The main thread's; open() is any thread's, and async-signal-safe.
#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace capsule::memory_reserve {

inline constexpr uint64_t kReservedBytes = 16u << 20;

// The limits of this process are those that its programs shall meet. Until then nothing here does anything. From then
// on C++ that finds no memory opens the reserve and tries once more.
void start();
// What the next program meets if that is less: 0 for nothing of its own.
void limit_run(rlim_t soft);
// A program begins.
void close();
enum class Why { kEnd, kNeed };
void open(Why why);

}  // namespace capsule::memory_reserve
