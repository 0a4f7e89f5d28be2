#include "protocol/peek.h"

namespace capsule::peek {
namespace {

// A cursor over msgpack bytes (the msgpack specification's format table). Every read checks what is left.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}

  bool good() const { return good_; }

  uint64_t map_size() {
    const uint8_t head = byte();
    if ((head & 0xF0) == 0x80) return head & 0x0F;
    if (head == 0xDE) return big_endian(2);
    if (head == 0xDF) return big_endian(4);
    return fail();
  }

  std::string_view str() {
    const uint8_t head = byte();
    if ((head & 0xE0) == 0xA0) return take(head & 0x1F);
    if (head == 0xD9) return take(big_endian(1));
    if (head == 0xDA) return take(big_endian(2));
    if (head == 0xDB) return take(big_endian(4));
    fail();
    return {};
  }

  uint64_t unsigned_number() {
    const uint8_t head = byte();
    if (head < 0x80) return head;
    if (head >= 0xCC && head <= 0xCF) return big_endian(1U << (head - 0xCC));
    return fail();
  }

  bool boolean() {
    const uint8_t head = byte();
    if (head != 0xC2 && head != 0xC3) fail();
    return head == 0xC3;
  }

  // One value, nested or not. Counts what is left to skip instead of recursing. Stops after `max_values` heads; whether
  // that was enough.
  bool skip(uint64_t max_values = UINT64_MAX) {
    uint64_t left = 1;
    for (; left > 0 && good_ && max_values > 0; --left, --max_values) left += skip_head();
    return left == 0;
  }

 private:
  uint64_t fail() {
    good_ = false;
    rest_ = {};
    return 0;
  }
  uint8_t byte() { return static_cast<uint8_t>(big_endian(1)); }
  uint64_t big_endian(size_t width) {
    uint64_t value = 0;
    for (const char c : take(width)) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view piece = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return piece;
  }

  // Skips one head and its bytes; returns how many values it contains.
  uint64_t skip_head() {
    const uint8_t head = byte();
    if (head < 0x80 || head >= 0xE0) return 0;
    if (head < 0x90) return 2ULL * (head & 0x0F);
    if (head < 0xA0) return head & 0x0F;
    if (head < 0xC0) return take(head & 0x1F), 0;
    switch (head) {
      case 0xC0:
      case 0xC2:
      case 0xC3: return 0;
      case 0xC4:
      case 0xD9: return take(big_endian(1)), 0;
      case 0xC5:
      case 0xDA: return take(big_endian(2)), 0;
      case 0xC6:
      case 0xDB: return take(big_endian(4)), 0;
      case 0xCA:
      case 0xCE:
      case 0xD2: return take(4), 0;
      case 0xCB:
      case 0xCF:
      case 0xD3: return take(8), 0;
      case 0xCC:
      case 0xD0: return take(1), 0;
      case 0xCD:
      case 0xD1: return take(2), 0;
      case 0xDC: return big_endian(2);
      case 0xDD: return big_endian(4);
      case 0xDE: return 2 * big_endian(2);
      case 0xDF: return 2 * big_endian(4);
      default: return fail();  // extension types are not part of the protocol
    }
  }

  std::string_view rest_;
  bool good_ = true;
};

// A cursor that stands before the value of `field`, if the map has it.
std::optional<Cursor> find(std::string_view payload, std::string_view field) {
  Cursor cursor(payload);
  const uint64_t entries = cursor.map_size();
  for (uint64_t i = 0; i < entries && cursor.good(); ++i) {
    if (cursor.str() == field && cursor.good()) return cursor;
    cursor.skip();
  }
  return std::nullopt;
}

}  // namespace

Shape shape(std::string_view payload, uint64_t max_values) {
  Cursor cursor(payload);
  const bool was_enough = cursor.skip(max_values);
  if (!cursor.good()) return Shape::kMalformed;
  return was_enough ? Shape::kFits : Shape::kTooManyValues;
}

std::string_view type(std::string_view payload) { return text(payload, "type").value_or(std::string_view{}); }

std::optional<std::string_view> text(std::string_view payload, std::string_view field) {
  auto cursor = find(payload, field);
  if (!cursor) return std::nullopt;
  const std::string_view value = cursor->str();
  return cursor->good() ? std::optional(value) : std::nullopt;
}

std::optional<uint64_t> number(std::string_view payload, std::string_view field) {
  auto cursor = find(payload, field);
  if (!cursor) return std::nullopt;
  const uint64_t value = cursor->unsigned_number();
  return cursor->good() ? std::optional(value) : std::nullopt;
}

std::optional<bool> flag(std::string_view payload, std::string_view field) {
  auto cursor = find(payload, field);
  if (!cursor) return std::nullopt;
  const bool value = cursor->boolean();
  return cursor->good() ? std::optional(value) : std::nullopt;
}

}  // namespace capsule::peek
