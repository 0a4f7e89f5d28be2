#include "manager/storage/checkpoint_stream.h"

#include <algorithm>

#include "base/utf8.h"

namespace capsule {
namespace {

constexpr size_t kHeadBytes = 9;

tl::unexpected<Error> nonsense(const char* what) {
  return failure(Errc::kInvalid, std::string("the process that saved the namespace sent nonsense: ") + what);
}

}  // namespace

Status CheckpointStream::take(std::string_view bytes, const std::function<Status(std::string_view)>& payload) {
  while (!bytes.empty()) {
    if (complete_) return nonsense("more after the end");
    if (kind_ == 0) {
      const size_t count = std::min(kHeadBytes - head_.size(), bytes.size());
      head_ += bytes.substr(0, count);
      bytes.remove_prefix(count);
      if (head_.size() < kHeadBytes) return {};
      if (auto begun = begin_frame(); !begun) return begun;
    } else {
      const std::string_view part = bytes.substr(0, std::min<uint64_t>(left_, bytes.size()));
      bytes.remove_prefix(part.size());
      left_ -= part.size();
      if (kind_ != 'D') {
        text_ += part;
      } else if (auto taken = payload(part); !taken) {
        return taken;
      }
    }
    if (kind_ != 0 && left_ == 0) end_frame();
  }
  return {};
}

Status CheckpointStream::begin_frame() {
  kind_ = head_[0];
  left_ = 0;
  for (size_t i = 1; i < kHeadBytes; ++i) left_ = left_ << 8 | static_cast<unsigned char>(head_[i]);
  head_.clear();
  text_.clear();
  if (kind_ != 'N' && kind_ != 'D' && kind_ != 'M') return nonsense("a frame of no known kind");
  if (kind_ == 'N' && left_ > kNameBytes) return failure(Errc::kTooLarge, "the name at work is too long");
  if (kind_ == 'M' && left_ > kMetadataBytes) return failure(Errc::kTooLarge, "the checkpoint's metadata is too long");
  return {};
}

void CheckpointStream::end_frame() {
  if (kind_ == 'N') name_ = replace_invalid_utf8(text_);
  if (kind_ == 'M') {
    metadata_ = replace_invalid_utf8(text_);
    complete_ = true;
  }
  kind_ = 0;
}

}  // namespace capsule
