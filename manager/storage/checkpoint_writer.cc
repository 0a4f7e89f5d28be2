#include "manager/storage/checkpoint_writer.h"

#include <zstd.h>

#include <cerrno>

#include "base/posix_io.h"

namespace capsule {
namespace {

// Level 1 compresses pickles about as fast as a disk takes them; what higher levels save costs several times that.
constexpr int kLevel = 1;

}  // namespace

tl::unexpected<Error> write_failure(std::string_view what) {
  auto error = system_failure(what);
  if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
    error.value() = {Errc::kTooLarge, "the disk of the checkpoints is full (" + error.value().message +
                                          "): remove checkpoints or make room, then try again"};
  }
  return error;
}

Result<CheckpointWriter> CheckpointWriter::create(UniqueFd file, PythonVersion python, uint64_t bytes_max) {
  CheckpointWriter writer(std::move(file), bytes_max);
  writer.compressor_.reset(ZSTD_createCCtx());
  if (!writer.compressor_) return failure(Errc::kUnavailable, "no memory to compress a checkpoint");
  ZSTD_CCtx_setParameter(writer.compressor_.get(), ZSTD_c_compressionLevel, kLevel);
  writer.out_.resize(ZSTD_CStreamOutSize());
  writer.header_ = pack_header({kCheckpointFormat, python});
  if (auto written = writer.write(writer.header_); !written) return tl::unexpected<Error>(written.error());
  return writer;
}

CheckpointWriter::CheckpointWriter(UniqueFd file, uint64_t bytes_max) : file_(std::move(file)), bytes_max_(bytes_max) {}
CheckpointWriter::CheckpointWriter(CheckpointWriter&&) noexcept = default;
CheckpointWriter& CheckpointWriter::operator=(CheckpointWriter&&) noexcept = default;
CheckpointWriter::~CheckpointWriter() = default;
void CheckpointWriter::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

Status CheckpointWriter::append(std::string_view payload) {
  lengths_.payload += payload.size();
  return compress(payload, ZSTD_e_continue);
}

Status CheckpointWriter::finish(std::string_view metadata) {
  if (metadata.size() > kCheckpointMetadataBytes) {
    return failure(Errc::kTooLarge, "the metadata of the checkpoint has " + format_bytes(metadata.size()) +
                                        "; allowed: " + format_bytes(kCheckpointMetadataBytes));
  }
  if (auto ended = compress({}, ZSTD_e_end); !ended) return ended;
  lengths_.stored = file_bytes_ - kCheckpointHeaderBytes;
  lengths_.metadata = static_cast<uint32_t>(metadata.size());
  const std::string lengths = pack_lengths(lengths_);
  const Digest of_metadata = metadata_digest_of(header_, metadata, lengths);
  for (const std::string_view part :
       {metadata, std::string_view(lengths), std::string_view(of_metadata.data(), of_metadata.size())}) {
    if (auto written = write(part); !written) return written;
  }
  const Digest of_file = sum_.finish();
  std::string end(of_file.data(), of_file.size());
  end += kCheckpointEnd;
  if (auto written = write_all(file_.get(), end); !written) return write_failure("write");
  file_bytes_ += end.size();
  if (fsync(file_.get()) != 0) return write_failure("fsync");
  return {};
}

Status CheckpointWriter::compress(std::string_view payload, int directive) {
  ZSTD_inBuffer in{payload.data(), payload.size(), 0};
  const auto mode = static_cast<ZSTD_EndDirective>(directive);
  for (bool done = false; !done;) {
    ZSTD_outBuffer out{out_.data(), out_.size(), 0};
    const size_t left = ZSTD_compressStream2(compressor_.get(), &out, &in, mode);
    if (ZSTD_isError(left)) return failure(Errc::kUnavailable, std::string("zstd: ") + ZSTD_getErrorName(left));
    if (auto written = write({out_.data(), out.pos}); !written) return written;
    done = mode == ZSTD_e_end ? left == 0 : in.pos == in.size;
  }
  return {};
}

Status CheckpointWriter::write(std::string_view bytes) {
  if (file_bytes_ + bytes.size() + kCheckpointTrailerBytes > bytes_max_) {
    return failure(Errc::kTooLarge, "the checkpoint has more than the " + format_bytes(bytes_max_) +
                                        " that are left for it: remove checkpoints, or delete what it need not hold");
  }
  sum_.add(bytes);
  if (auto written = write_all(file_.get(), bytes); !written) return write_failure("write");
  file_bytes_ += bytes.size();
  return {};
}

}  // namespace capsule
