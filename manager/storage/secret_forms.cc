#include "manager/storage/secret_forms.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/utf8.h"

namespace capsule {
namespace {

// How far an escape goes: repr() of text, ascii() of it, repr() of its bytes, json.dumps() without and with
// ensure_ascii.
enum class Style { kRepr, kAscii, kBytes, kJson, kJsonAscii };
constexpr std::array kStyles{Style::kRepr, Style::kAscii, Style::kBytes, Style::kJson, Style::kJsonAscii};

bool is_json(Style style) { return style == Style::kJson || style == Style::kJsonAscii; }

// Of the character at `at`; 0: the byte there begins none.
size_t character_bytes(std::string_view text, size_t at) {
  for (size_t bytes = 1; bytes <= 4 && at + bytes <= text.size(); ++bytes) {
    if (is_valid_utf8(text.substr(at, bytes))) return bytes;
  }
  return 0;
}

char32_t code_point(std::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return byte(0);
  char32_t code = byte(0) & (0xFFu >> (character.size() + 1));
  for (size_t i = 1; i < character.size(); ++i) code = code << 6 | (byte(i) & 0x3Fu);
  return code;
}

// What repr() does not show as it is, beyond ASCII: spaces, formats and private ones, in blocks. Unicode's own list is
// long; a character that it lacks costs what masking by ascii() does not catch.
bool is_shown(char32_t code) {
  struct Block {
    char32_t first, last;
  };
  constexpr std::array kHidden{Block{0x80, 0xA0},     Block{0xAD, 0xAD},       Block{0x1680, 0x1680},
                               Block{0x2000, 0x200F}, Block{0x2028, 0x202F},   Block{0x205F, 0x206F},
                               Block{0x3000, 0x3000}, Block{0xD800, 0xF8FF},   Block{0xFEFF, 0xFEFF},
                               Block{0xFFF0, 0xFFFB}, Block{0xE0000, 0x10FFFF}};
  return std::none_of(kHidden.begin(), kHidden.end(),
                      [code](const Block& block) { return code >= block.first && code <= block.last; });
}

std::string formatted(const char* format, char32_t code) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), format, static_cast<unsigned>(code));
  return text.data();
}

std::string json_escape(char32_t code) {
  if (code < 0x10000) return formatted("\\u%04x", code);
  const char32_t rest = code - 0x10000;
  return formatted("\\u%04x", 0xD800 + (rest >> 10)) + formatted("\\u%04x", 0xDC00 + (rest & 0x3FF));
}

std::string python_escape(char32_t code) {
  return formatted(code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
}

std::string ascii_form(char c, Style style, bool quote_is_escaped) {
  switch (c) {
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\b': return is_json(style) ? "\\b" : "\\x08";
    case '\f': return is_json(style) ? "\\f" : "\\x0c";
    case '"': return is_json(style) ? "\\\"" : "\"";
    case '\'': return quote_is_escaped && !is_json(style) ? "\\'" : "'";
    case 0x7F: return is_json(style) ? std::string(1, c) : "\\x7f";
    default: break;
  }
  if (static_cast<unsigned char>(c) >= 0x20) return std::string(1, c);
  return is_json(style) ? json_escape(static_cast<unsigned char>(c)) : python_escape(static_cast<unsigned char>(c));
}

std::string bytes_form(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += python_escape(static_cast<unsigned char>(c));
  return text;
}

std::string wide_form(std::string_view character, Style style) {
  const char32_t code = code_point(character);
  switch (style) {
    case Style::kRepr: return is_shown(code) ? std::string(character) : python_escape(code);
    case Style::kAscii: return python_escape(code);
    case Style::kBytes: return bytes_form(character);
    case Style::kJson: return std::string(character);
    case Style::kJsonAscii: return json_escape(code);
  }
  return {};
}

// A byte that is no text is a lone surrogate in Python's strings (PEP 383).
std::string stray_form(char byte, Style style) {
  if (style == Style::kBytes) return bytes_form(std::string_view(&byte, 1));
  return formatted("\\u%04x", 0xDC00u + static_cast<unsigned char>(byte));
}

std::string written(std::string_view value, Style style) {
  // Python takes the quotes that need no escape, if there are such.
  const bool quote_is_escaped = value.find('\'') != value.npos && value.find('"') != value.npos;
  std::string text;
  for (size_t at = 0; at < value.size();) {
    const size_t bytes = character_bytes(value, at);
    if (bytes == 0) {
      text += stray_form(value[at], style);
    } else if (bytes == 1) {
      text += ascii_form(value[at], style, quote_is_escaped);
    } else {
      text += wide_form(value.substr(at, bytes), style);
    }
    at += std::max<size_t>(bytes, 1);
  }
  return text;
}

}  // namespace

std::vector<std::string> secret_forms(std::string_view value) {
  std::vector<std::string> forms{std::string(value)};
  const auto is_plain = [](char c) { return c >= ' ' && c <= '~' && c != '\\' && c != '"' && c != '\''; };
  if (std::all_of(value.begin(), value.end(), is_plain)) return forms;  // each run asks
  for (const Style style : kStyles) {
    std::string form = written(value, style);
    if (std::find(forms.begin(), forms.end(), form) == forms.end()) forms.push_back(std::move(form));
  }
  return forms;
}

}  // namespace capsule
