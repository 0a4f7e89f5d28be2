// Hand-made msgpack for the tests of what our own encoder would never write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace capsule::raw {

inline std::string big_endian(uint64_t value, int width) {
  std::string bytes;
  for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

// The short forms: up to 31 bytes of text, up to 15 entries.
inline std::string str(std::string_view text) {
  if (text.size() < 32) return static_cast<char>(0xA0 | text.size()) + std::string(text);
  return '\xDB' + big_endian(text.size(), 4) + std::string(text);
}
inline std::string bin(std::string_view bytes) { return '\xC6' + big_endian(bytes.size(), 4) + std::string(bytes); }
inline std::string map(unsigned entries) { return std::string(1, static_cast<char>(0x80 | entries)); }
inline std::string array(unsigned entries) { return std::string(1, static_cast<char>(0x90 | entries)); }
inline std::string u64(uint64_t value) { return '\xCF' + big_endian(value, 8); }
inline std::string i64(int64_t value) { return '\xD3' + big_endian(static_cast<uint64_t>(value), 8); }
inline std::string f64(uint64_t bits) { return '\xCB' + big_endian(bits, 8); }
inline const std::string kNil = "\xC0";
inline const std::string kTrue = "\xC3";

// A message of `type` with the given already encoded entries.
inline std::string message(std::string_view type, unsigned entries, std::string_view body) {
  return map(entries + 1) + str("type") + str(type) + std::string(body);
}

}  // namespace capsule::raw
