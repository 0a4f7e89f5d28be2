// The file of a durable checkpoint, version 1 (docs/CHECKPOINTS.md): header, zstd payload, metadata, trailer. Integers
// are big-endian. Written front to back without a seek; the metadata can be read and checked without the payload.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"

namespace capsule {

inline constexpr std::string_view kCheckpointMagic{
    "\x89"
    "CAPCKP\n",
    8};
inline constexpr std::string_view kCheckpointEnd{"ckptend\n", 8};
inline constexpr uint16_t kCheckpointFormat = 1;

inline constexpr size_t kCheckpointHeaderBytes = 16;   // magic, format, Python's major and minor, 4 zeros
inline constexpr size_t kCheckpointLengthsBytes = 24;  // payload in the file, payload, metadata, 4 zeros
inline constexpr size_t kCheckpointTrailerBytes = kCheckpointLengthsBytes + 2 * kDigestBytes + 8;
inline constexpr size_t kCheckpointMetadataBytes = 2 << 20;    // of JSON; more is refused, both ways
inline constexpr uint64_t kCheckpointFileBytes = 1024 * kGiB;  // what a header may claim
inline constexpr size_t kStorageSliceBytes = 256 << 10;        // what one job of the storage thread moves

struct PythonVersion {
  uint8_t major = 0, minor = 0;
  bool operator==(const PythonVersion&) const = default;
};

struct CheckpointHeader {
  uint16_t format = kCheckpointFormat;
  PythonVersion python;
};

struct CheckpointLengths {
  uint64_t stored = 0;   // the payload as it is in the file
  uint64_t payload = 0;  // as it was before compression
  uint32_t metadata = 0;
};

struct CheckpointTrailer {
  CheckpointLengths lengths;
  Digest metadata_digest{};  // of header, metadata and lengths
  Digest file_digest{};      // of everything before it
};

std::string pack_header(const CheckpointHeader& header);
std::string pack_lengths(const CheckpointLengths& lengths);
Digest metadata_digest_of(std::string_view header, std::string_view metadata, std::string_view lengths);

// kInvalid: not a checkpoint, of a format or a size that this version does not know, damaged.
Result<CheckpointHeader> parse_header(std::string_view bytes);
Result<CheckpointTrailer> parse_trailer(std::string_view bytes, uint64_t file_bytes);

}  // namespace capsule
