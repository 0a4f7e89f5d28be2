#include "base/utf8.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace capsule {
namespace {

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// Length of the valid sequence at `at`, or 0 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
size_t sequence_length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const size_t left = text.size() - at;
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  if (first < 0xE0) return left >= 2 && is_continuation(byte(1)) ? 2 : 0;
  if (left < 3 || !is_continuation(byte(1)) || !is_continuation(byte(2))) return 0;
  if (first < 0xF0) {
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (left < 4 || !is_continuation(byte(3))) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;
  if (first == 0xF4 && byte(1) > 0x8F) return 0;
  return 4;
}

constexpr char kDel = 0x7F;

// U+0080..U+009F, two bytes each.
bool is_c1(std::string_view text, size_t at) {
  return text[at] == '\xC2' && sequence_length(text, at) == 2 && static_cast<unsigned char>(text[at + 1]) < 0xA0;
}

std::string escaped_byte(const char* format, unsigned value) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = sequence_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t length = sequence_length(text, at);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++at;
    } else {
      out.append(text, at, length);
      at += length;
    }
  }
  return out;
}

std::string escape_control(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const bool c0 = byte < 0x20 && byte != '\n' && byte != '\t';
    if (c0 || byte == kDel) {
      out += escaped_byte("\\x%02x", byte);
    } else if (is_c1(text, at)) {
      out += escaped_byte("\\x%02x", static_cast<unsigned char>(text[++at]));
    } else {
      out += text[at];
    }
  }
  return out;
}

std::string escape_control_in_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (size_t at = 0; at < json.size(); ++at) {
    if (json[at] == kDel) {
      out += escaped_byte("\\u%04x", kDel);
    } else if (is_c1(json, at)) {
      out += escaped_byte("\\u%04x", static_cast<unsigned char>(json[++at]));
    } else {
      out += json[at];
    }
  }
  return out;
}

}  // namespace capsule
