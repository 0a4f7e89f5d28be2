#include "manager/storage/checkpoint_format.h"

#include <algorithm>

namespace capsule {
namespace {

template <class N>
void put(std::string& into, N value) {
  for (int shift = (sizeof(N) - 1) * 8; shift >= 0; shift -= 8) into += static_cast<char>((value >> shift) & 0xFF);
}

template <class N>
N take(std::string_view& from) {
  N value = 0;
  for (size_t i = 0; i < sizeof(N); ++i) value = static_cast<N>((value << 8) | static_cast<unsigned char>(from[i]));
  from.remove_prefix(sizeof(N));
  return value;
}

tl::unexpected<Error> damaged(const char* what) {
  return failure(Errc::kInvalid, std::string("the checkpoint is damaged (") + what +
                                     "): remove it, or import a copy that was exported before");
}

}  // namespace

std::string pack_header(const CheckpointHeader& header) {
  std::string bytes(kCheckpointMagic);
  put(bytes, header.format);
  put(bytes, header.python.major);
  put(bytes, header.python.minor);
  put(bytes, uint32_t{0});
  return bytes;
}

std::string pack_lengths(const CheckpointLengths& lengths) {
  std::string bytes;
  put(bytes, lengths.stored);
  put(bytes, lengths.payload);
  put(bytes, lengths.metadata);
  put(bytes, uint32_t{0});
  return bytes;
}

Digest metadata_digest_of(std::string_view header, std::string_view metadata, std::string_view lengths) {
  Sha256 sum;
  sum.add(header);
  sum.add(metadata);
  sum.add(lengths);
  return sum.finish();
}

Result<CheckpointHeader> parse_header(std::string_view bytes) {
  if (bytes.size() != kCheckpointHeaderBytes || !bytes.starts_with(kCheckpointMagic)) {
    return failure(Errc::kInvalid,
                   "this is not a checkpoint of Capsule: import what `capsule checkpoints export` wrote");
  }
  bytes.remove_prefix(kCheckpointMagic.size());
  CheckpointHeader header;
  header.format = take<uint16_t>(bytes);
  if (header.format != kCheckpointFormat) {
    return failure(Errc::kInvalid, "the checkpoint has format " + std::to_string(header.format) +
                                       ", and this Capsule reads format " + std::to_string(kCheckpointFormat) +
                                       ": use the version of Capsule that wrote it");
  }
  header.python.major = take<uint8_t>(bytes);
  header.python.minor = take<uint8_t>(bytes);
  if (take<uint32_t>(bytes) != 0) return damaged("its header");
  return header;
}

Result<CheckpointTrailer> parse_trailer(std::string_view bytes, uint64_t file_bytes) {
  if (bytes.size() != kCheckpointTrailerBytes || !bytes.ends_with(kCheckpointEnd)) {
    return damaged("its end is missing");
  }
  CheckpointTrailer trailer;
  CheckpointLengths& lengths = trailer.lengths;
  lengths.stored = take<uint64_t>(bytes);
  lengths.payload = take<uint64_t>(bytes);
  lengths.metadata = take<uint32_t>(bytes);
  if (take<uint32_t>(bytes) != 0) return damaged("its trailer");
  std::copy_n(bytes.begin(), kDigestBytes, trailer.metadata_digest.begin());
  std::copy_n(bytes.begin() + kDigestBytes, kDigestBytes, trailer.file_digest.begin());
  const bool fits = lengths.stored <= kCheckpointFileBytes && lengths.payload <= kCheckpointFileBytes &&
                    lengths.metadata <= kCheckpointMetadataBytes;
  const uint64_t ends = kCheckpointHeaderBytes + kCheckpointTrailerBytes;
  if (!fits || file_bytes != ends + lengths.stored + lengths.metadata) return damaged("its length");
  return trailer;
}

}  // namespace capsule
