// Whether anything below a directory has changed: a number made of every entry's name, inode, size, mode and times of
// change, in the order in which the directory lists them. A change that keeps the size, within a tick of the clock that
// stamps files after it was looked at, is not seen (Linux before 6.13). Not proof against somebody who sets out to hide
// a change from it, and who could only hide it from a copy of his own session.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/unique_fd.h"

namespace capsule::sandbox {

inline constexpr size_t kFingerprintEntries = 20'000;

// nullopt: it has more entries, is deeper than what is copied, or cannot be read.
std::optional<uint64_t> fingerprint_of(int directory);

// What a capsule inside another one was filled from, and how that was then.
struct CopiedPlace {
  UniqueFd source;
  std::optional<uint64_t> fingerprint;
};
bool are_current(std::span<const CopiedPlace> places);

}  // namespace capsule::sandbox
