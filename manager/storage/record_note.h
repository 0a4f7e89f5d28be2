// Facts that no message of the protocol has, as lines "key=value" in the log of runs: quick to write on the loop, and
// plain to read. Carried by `ack` frames whose `re` says which note it is. kProbe says nothing, of no run: it was
// written to see whether anything can be.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace capsule {

enum class NoteKind : uint64_t { kAccepted = 1, kStarted = 2, kFinished = 3, kSlow = 4, kProbe = 5 };

class NoteWriter {
 public:
  // A value that could break the lines (none of ours does) ends at its first control character.
  NoteWriter& text(std::string_view key, std::string_view value) {
    size_t end = 0;
    while (end < value.size() && static_cast<unsigned char>(value[end]) >= ' ') ++end;
    line(key, value.substr(0, end));
    return *this;
  }
  NoteWriter& number(std::string_view key, std::integral auto value) {
    char digits[24];
    const auto done = std::to_chars(digits, digits + sizeof digits, value);
    line(key, {digits, static_cast<size_t>(done.ptr - digits)});
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  void line(std::string_view key, std::string_view value) { text_.append(key).append("=").append(value).append("\n"); }
  std::string text_;
};

using Note = std::map<std::string, std::string, std::less<>>;

inline Note read_note(std::string_view text) {
  Note note;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const size_t middle = line.find('=');
    if (middle != line.npos) note.emplace(line.substr(0, middle), line.substr(middle + 1));
  }
  return note;
}

// Empty and 0 when it is not there.
inline std::string_view note_text(const Note& note, std::string_view key) {
  const auto found = note.find(key);
  return found == note.end() ? std::string_view() : std::string_view(found->second);
}
inline uint64_t note_number(const Note& note, std::string_view key) {
  const std::string_view text = note_text(note, key);
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace capsule
