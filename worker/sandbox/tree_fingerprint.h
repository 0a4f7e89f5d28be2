// Whether anything below a directory has changed: a number made of every entry's name, inode, size, mode and times of
// change, in the order in which the directory lists them, and of what is in the files: a write through a mapping leaves
// no time behind in a tmpfs. Not proof against somebody who sets out to hide a change from it, and who could only hide
// it from a copy of his own session.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/unique_fd.h"

namespace capsule::sandbox {

inline constexpr size_t kFingerprintEntries = 20'000;
inline constexpr uint64_t kFingerprintBytes = 4u << 20;  // of all files; a millisecond

// nullopt: it has more entries or bytes, is deeper than what is copied, or cannot be read.
std::optional<uint64_t> fingerprint_of(int directory);

// What a capsule inside another one was filled from, and how that was then.
struct CopiedPlace {
  UniqueFd source;
  std::optional<uint64_t> fingerprint;
};
bool are_current(std::span<const CopiedPlace> places);

}  // namespace capsule::sandbox
