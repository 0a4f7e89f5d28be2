#include "manager/storage/secret_mask.h"

#include <algorithm>

namespace capsule {

SecretMask::SecretMask(const std::map<std::string, std::string>& secrets) {
  for (const auto& [name, value] : secrets) {
    if (value.size() >= kShortestBytes) values_.push_back(value);
  }
  std::sort(values_.begin(), values_.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

void SecretMask::apply(std::string& text) const {
  for (const std::string& value : values_) {
    for (size_t at = text.find(value); at != text.npos; at = text.find(value, at + value.size())) {
      text.replace(at, value.size(), value.size(), '*');
    }
  }
}

size_t SecretMask::undecided_bytes(std::string_view piece) const {
  for (size_t length = values_.empty() ? 0 : std::min(piece.size(), values_.front().size() - 1); length > 0; --length) {
    const std::string_view end = piece.substr(piece.size() - length);
    const bool may_begin = std::any_of(values_.begin(), values_.end(), [&](const std::string& value) {
      return value.size() > length && std::string_view(value).starts_with(end);
    });
    if (may_begin) return length;
  }
  return 0;
}

}  // namespace capsule
