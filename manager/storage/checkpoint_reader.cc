#include "manager/storage/checkpoint_reader.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>

#include "base/utf8.h"

namespace capsule {
namespace {

// Memory that a hostile frame can make the decompressor take: 2^27 is zstd's own default; level 1 writes 2^19.
constexpr int kWindowLogMax = 23;

tl::unexpected<Error> damaged(const char* what) {
  return failure(Errc::kInvalid, std::string("the checkpoint is damaged (") + what +
                                     "): remove it, or import a copy that was exported before");
}

// Exactly `bytes` from `at`.
Result<std::string> read_at(int file, uint64_t at, size_t bytes) {
  std::string into(bytes, '\0');
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = pread(file, into.data() + done, bytes - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("read of a checkpoint");
    if (got == 0) return damaged("it ends early");
    done += static_cast<size_t>(got);
  }
  return into;
}

std::string_view view(const Digest& digest) { return {digest.data(), digest.size()}; }

}  // namespace

Result<CheckpointInfo> read_checkpoint_info(int file) {
  struct stat facts {};
  if (fstat(file, &facts) != 0) return system_failure("fstat");
  CheckpointInfo info;
  info.file_bytes = static_cast<uint64_t>(facts.st_size);
  if (!S_ISREG(facts.st_mode)) return failure(Errc::kInvalid, "a checkpoint is a regular file, and this is none");
  if (info.file_bytes < kCheckpointHeaderBytes) return damaged("it ends early");
  const auto head = read_at(file, 0, kCheckpointHeaderBytes);
  if (!head) return tl::unexpected<Error>(head.error());
  const auto header = parse_header(*head);
  if (!header) return tl::unexpected<Error>(header.error());
  info.header = *header;
  if (info.file_bytes < kCheckpointHeaderBytes + kCheckpointTrailerBytes) return damaged("it ends early");
  const uint64_t trailer_at = info.file_bytes - kCheckpointTrailerBytes;
  const auto tail = read_at(file, trailer_at, kCheckpointTrailerBytes);
  if (!tail) return tl::unexpected<Error>(tail.error());
  const auto trailer = parse_trailer(*tail, info.file_bytes);
  if (!trailer) return tl::unexpected<Error>(trailer.error());
  info.trailer = *trailer;
  const uint32_t metadata_bytes = trailer->lengths.metadata;
  auto metadata = read_at(file, trailer_at - metadata_bytes, metadata_bytes);
  if (!metadata) return tl::unexpected<Error>(metadata.error());
  const std::string_view lengths(tail->data(), kCheckpointLengthsBytes);
  if (metadata_digest_of(*head, *metadata, lengths) != trailer->metadata_digest) return damaged("its metadata");
  if (!is_valid_utf8(*metadata)) return damaged("its metadata is not text");
  info.metadata = std::move(*metadata);
  return info;
}

Result<std::string> read_stored(int file, uint64_t at, uint64_t file_bytes) {
  return read_at(file, at, std::min<uint64_t>(kStorageSliceBytes, file_bytes - std::min(at, file_bytes)));
}

CheckpointCheck::CheckpointCheck(int file, const CheckpointInfo& info)
    : file_(file), end_(info.file_bytes - kDigestBytes - kCheckpointEnd.size()), expected_(info.trailer.file_digest) {}

Result<bool> CheckpointCheck::step(uint64_t bytes) {
  for (const uint64_t stop = std::min(end_, at_ + bytes); at_ < stop;) {
    const auto slice = read_at(file_, at_, std::min<uint64_t>(stop - at_, kStorageSliceBytes));
    if (!slice) return tl::unexpected<Error>(slice.error());
    sum_.add(*slice);
    at_ += slice->size();
  }
  if (at_ < end_) return false;
  if (sum_.finish() != expected_) return damaged("its contents do not fit its digest");
  return true;
}

Result<CheckpointPayload> CheckpointPayload::open(UniqueFd file, CheckpointInfo info) {
  CheckpointPayload payload(std::move(file), std::move(info));
  payload.decompressor_.reset(ZSTD_createDCtx());
  if (!payload.decompressor_) return failure(Errc::kUnavailable, "no memory to decompress a checkpoint");
  ZSTD_DCtx_setParameter(payload.decompressor_.get(), ZSTD_d_windowLogMax, kWindowLogMax);
  payload.sum_.add(pack_header(payload.info_.header));
  return payload;
}

CheckpointPayload::CheckpointPayload(UniqueFd file, CheckpointInfo info)
    : file_(std::move(file)), info_(std::move(info)) {}
CheckpointPayload::CheckpointPayload(CheckpointPayload&&) noexcept = default;
CheckpointPayload& CheckpointPayload::operator=(CheckpointPayload&&) noexcept = default;
CheckpointPayload::~CheckpointPayload() = default;
void CheckpointPayload::Free::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

Result<std::string> CheckpointPayload::next() {
  const CheckpointLengths& lengths = info_.trailer.lengths;
  std::string slice(std::min<uint64_t>(kStorageSliceBytes, lengths.payload - given_), '\0');
  ZSTD_outBuffer out{slice.data(), slice.size(), 0};
  while (out.pos < out.size && !frame_ended_) {
    if (auto filled = refill(); !filled) return tl::unexpected<Error>(filled.error());
    ZSTD_inBuffer in{in_.data(), in_.size(), in_at_};
    const size_t before = out.pos;
    const size_t left = ZSTD_decompressStream(decompressor_.get(), &out, &in);
    if (ZSTD_isError(left)) return damaged("its payload cannot be decompressed");
    if (in.pos == in_at_ && out.pos == before) return damaged("its payload ends early");
    in_at_ = in.pos;
    frame_ended_ = left == 0;
  }
  if (out.pos != slice.size()) return damaged("its payload ends early");
  given_ += slice.size();
  if (given_ == lengths.payload) {
    if (auto checked = check_end(); !checked) return tl::unexpected<Error>(checked.error());
  }
  return slice;
}

Status CheckpointPayload::refill() {
  const uint64_t left = info_.trailer.lengths.stored - stored_at_;
  if (in_at_ < in_.size() || left == 0) return {};
  auto slice = read_at(file_.get(), kCheckpointHeaderBytes + stored_at_, std::min<uint64_t>(left, kStorageSliceBytes));
  if (!slice) return tl::unexpected<Error>(slice.error());
  in_ = std::move(*slice);
  in_at_ = 0;
  stored_at_ += in_.size();
  sum_.add(in_);
  return {};
}

// What is left of the stored payload is hashed too: it must be nothing but the frame's end.
Status CheckpointPayload::check_end() {
  if (!decompressor_) return {};
  while (stored_at_ < info_.trailer.lengths.stored) {
    in_at_ = in_.size();
    if (auto filled = refill(); !filled) return filled;
  }
  sum_.add(info_.metadata);
  sum_.add(pack_lengths(info_.trailer.lengths));
  sum_.add(view(info_.trailer.metadata_digest));
  if (sum_.finish() != info_.trailer.file_digest) return damaged("its contents do not fit its digest");
  decompressor_.reset();  // the end was checked, once
  return {};
}

}  // namespace capsule
