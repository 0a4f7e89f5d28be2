#include "cli/terminal_text.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace capsule::cli {
namespace {

constexpr size_t kLongestCharacter = 4;

size_t length_from_first_byte(unsigned char first) {
  if (first >= 0xF0) return 4;
  if (first >= 0xE0) return 3;
  return first >= 0xC0 ? 2 : 1;
}

// Bytes at the end that begin a character but do not complete it.
size_t unfinished_bytes(std::string_view text) {
  for (size_t back = 1; back <= std::min(text.size(), kLongestCharacter - 1); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    return length_from_first_byte(byte) > back ? back : 0;
  }
  return 0;
}

std::string made_safe(std::string_view text) { return escape_control(replace_invalid_utf8(text)); }

}  // namespace

OutputKind kind_of(int fd) { return isatty(fd) == 1 ? OutputKind::kTerminal : OutputKind::kOther; }

std::string TerminalText::feed(std::string_view bytes) {
  if (!escapes_) return std::string(bytes);
  std::string text = std::exchange(waiting_, {});
  text += bytes;
  const size_t cut = text.size() - unfinished_bytes(text);
  waiting_ = text.substr(cut);
  return made_safe(std::string_view(text).substr(0, cut));
}

std::string TerminalText::finish() { return made_safe(std::exchange(waiting_, {})); }

}  // namespace capsule::cli
