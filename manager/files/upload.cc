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

Result<Manifest> Upload::store(const Workspace& workspace) const {
  const AsOwner as_owner(workspace);
  Manifest manifest;
  for (const Item& item : items_) {
    const auto written =
        beneath::write_file(workspace.fd(), item.path, {memory_.get(), item.offset, item.bytes, item.mode});
    if (!written) return tl::unexpected<Error>(written.error());
    manifest[item.path] = {written->st_ino, written->st_size, written->st_mtim};
  }
  return manifest;
}

}  // namespace capsule
