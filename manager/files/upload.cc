#include "manager/files/upload.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/posix_io.h"
#include "manager/files/beneath.h"
#include "protocol/file_path.h"

namespace capsule {

bool FileStamp::is(const struct stat& facts) const {
  return inode == facts.st_ino && size == facts.st_size && modified.tv_sec == facts.st_mtim.tv_sec &&
         modified.tv_nsec == facts.st_mtim.tv_nsec;
}

Result<std::unique_ptr<Upload>> Upload::make() {
  UniqueFd memory(memfd_create("capsule-upload", MFD_CLOEXEC));
  if (!memory) return system_failure("memfd_create");
  return std::unique_ptr<Upload>(new Upload(std::move(memory)));
}

Status Upload::put(const FilePut& piece, const UploadLimits& limits) {
  const std::string& path = piece.path.value;
  const std::string& data = piece.data.value;
  const bool is_new = items_.empty() || items_.back().path != path;
  if (is_new) {
    if (const Status good = check_file_path(path); !good) return good;
    if (by_path_.contains(path)) return failure(Errc::kInvalid, "an upload has the same path twice");
    if (items_.size() >= limits.files_max) {
      return failure(Errc::kTooLarge, "more than " + std::to_string(limits.files_max) + " files (files.upload_files)");
    }
  }
  if (data.size() > limits.bytes_max - std::min(limits.bytes_max, bytes_)) {
    return failure(Errc::kTooLarge,
                   "the uploads have more than " + format_bytes(limits.bytes_max) + " (files.upload_bytes)");
  }
  if (const Status written = write_all(memory_.get(), data); !written) return written;
  if (is_new) {
    by_path_[path] = items_.size();
    items_.push_back({path, bytes_, 0, static_cast<mode_t>(piece.executable ? 0755 : 0644)});
  }
  items_.back().bytes += data.size();
  bytes_ += data.size();
  return {};
}

Storing::~Storing() {
  if (!writing_) return;
  const AsOwner as_owner(*workspace_);
  writing_.reset();
}

Result<bool> Storing::step() {
  const AsOwner as_owner(*workspace_);
  uint64_t bytes = kSliceBytes;
  for (size_t files = 0; files < kSliceFiles && bytes > 0; ++files) {
    if (next_ == upload_->items_.size()) return true;
    const auto used = store_some(bytes);
    if (!used) return tl::unexpected<Error>(used.error());
    bytes -= *used;
  }
  return next_ == upload_->items_.size();
}

Result<uint64_t> Storing::store_some(uint64_t bytes_max) {
  const Upload::Item& item = upload_->items_[next_];
  if (!writing_) {
    auto begun = beneath::Writing::begin(workspace_->fd(), item.path,
                                         {upload_->memory_.get(), item.offset, item.bytes, item.mode});
    if (!begun) return tl::unexpected<Error>(begun.error());
    writing_.emplace(std::move(*begun));
  }
  const auto left = writing_->copy(bytes_max);
  if (!left) return tl::unexpected<Error>(left.error());
  if (*left > 0) return bytes_max;
  const auto written = writing_->finish();
  if (!written) return tl::unexpected<Error>(written.error());
  manifest_[item.path] = {written->st_ino, written->st_size, written->st_mtim};
  writing_.reset();
  ++next_;
  return std::min(bytes_max, item.bytes);
}

}  // namespace capsule
