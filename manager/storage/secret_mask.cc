#include "manager/storage/secret_mask.h"

#include <algorithm>

#include "manager/storage/secret_forms.h"

namespace capsule {
namespace {

constexpr std::string_view kLineEnds = "\n\r\v\f\x1c\x1d\x1e";  // those of str.splitlines() that are one byte

void blot_out(std::string& text, size_t at, size_t bytes) {
  const auto begin = text.begin() + static_cast<std::ptrdiff_t>(at);
  std::replace_if(
      begin, begin + static_cast<std::ptrdiff_t>(bytes), [](char c) { return c != '\n'; }, '*');
}

}  // namespace

SecretMask::SecretMask(const std::map<std::string, std::string>& secrets) {
  for (const auto& [name, value] : secrets) {
    if (value.size() < kShortestBytes) continue;
    add(value);
    add_others(value);
  }
  std::sort(values_.begin(), values_.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

void SecretMask::add(std::string value) {
  begins_value_[static_cast<unsigned char>(value.front())] = true;
  values_.push_back(std::move(value));
}

// Within what they may cost: each run makes its mask, and all that it prints is looked through for each of them.
void SecretMask::add_others(const std::string& value) {
  if (value.size() > kOtherBytes - other_bytes_) return;
  std::vector<std::string> others = secret_forms(value);
  others.erase(others.begin());
  for (size_t at = value.find_first_of(kLineEnds) == value.npos ? value.size() : 0; at < value.size();) {
    const size_t end = std::min(value.find_first_of(kLineEnds, at), value.size());
    if (end - at >= kShortestLineBytes) others.push_back(value.substr(at, end - at));
    at = end + 1;
  }
  for (std::string& other : others) {
    if (others_ == kOthers || other.size() > kOtherBytes - other_bytes_) return;
    ++others_;
    other_bytes_ += other.size();
    add(std::move(other));
  }
}

void SecretMask::apply(std::string& text) const {
  for (const std::string& value : values_) {
    for (size_t at = text.find(value); at != text.npos; at = text.find(value, at + value.size())) {
      blot_out(text, at, value.size());
    }
  }
}

void SecretMask::apply(std::vector<std::string>& lines) const {
  if (empty()) return;
  std::string text;
  for (const std::string& line : lines) text.append(line).append("\n");
  apply(text);
  size_t at = 0;
  for (std::string& line : lines) {
    line = text.substr(at, line.size());
    at += line.size() + 1;
  }
}

size_t SecretMask::undecided_bytes(std::string_view piece) const {
  for (size_t length = values_.empty() ? 0 : std::min(piece.size(), values_.front().size() - 1); length > 0; --length) {
    const std::string_view end = piece.substr(piece.size() - length);
    if (!begins_value_[static_cast<unsigned char>(end.front())]) continue;
    const bool may_begin = std::any_of(values_.begin(), values_.end(), [&](const std::string& value) {
      return value.size() > length && std::string_view(value).starts_with(end);
    });
    if (may_begin) return length;
  }
  return 0;
}

void SecretMask::apply_to_cut_end(std::string& text) const {
  const size_t bytes = undecided_bytes(text);
  blot_out(text, text.size() - bytes, bytes);
}

void SecretMask::apply_to_cut_beginning(std::string& text) const {
  for (size_t length = values_.empty() ? 0 : std::min(text.size(), values_.front().size() - 1); length > 0; --length) {
    const std::string_view begin = std::string_view(text).substr(0, length);
    const bool may_end = std::any_of(values_.begin(), values_.end(), [&](const std::string& value) {
      return value.size() > length && std::string_view(value).ends_with(begin);
    });
    if (may_end) return blot_out(text, 0, length);
  }
}

}  // namespace capsule
