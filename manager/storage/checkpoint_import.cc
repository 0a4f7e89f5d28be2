#include "manager/storage/checkpoint_import.h"

#include <unistd.h>

#include "base/posix_io.h"

namespace capsule {
namespace {

constexpr uint64_t kCheckedBytes = 8 * kMiB;  // of one call: some 10 ms

}  // namespace

Result<CheckpointImport> CheckpointImport::begin(CheckpointStore& store, uid_t uid, std::string_view name,
                                                 IfThere if_there) {
  auto begun = store.begin(uid, name, if_there);
  if (!begun) return tl::unexpected<Error>(begun.error());
  return CheckpointImport(store, std::move(*begun));
}

Status CheckpointImport::append(std::string_view piece) {
  if (bytes_ + piece.size() > begun_.bytes_max) {
    return failure(Errc::kTooLarge, "the checkpoint has more than the " + format_bytes(begun_.bytes_max) +
                                        " that are left for it: remove checkpoints first");
  }
  if (auto written = write_all(begun_.file.get(), piece); !written) return write_failure("write");
  bytes_ += piece.size();
  return {};
}

Result<std::optional<CheckpointEntry>> CheckpointImport::finish() {
  const int file = begun_.file.get();
  if (!check_) {
    const auto info = read_checkpoint_info(file);
    if (!info) return tl::unexpected<Error>(info.error());
    if (fsync(file) != 0) return write_failure("fsync");
    check_.emplace(file, *info);
  }
  const auto checked = check_->step(kCheckedBytes);
  if (!checked) return tl::unexpected<Error>(checked.error());
  if (!*checked) return std::nullopt;
  auto entry = store_->commit(std::move(begun_.draft));
  if (!entry) return tl::unexpected<Error>(entry.error());
  return std::optional<CheckpointEntry>(std::move(*entry));
}

}  // namespace capsule
