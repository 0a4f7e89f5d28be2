// Blots out the secrets of a session in what is recorded of its runs: each byte of a value becomes `*`, so that offsets
// stay what they were; the ends of its lines stay, too. Pure.
//
// A value is found as it is, as repr() and JSON write it (secret_forms.h), and line by line. Values shorter than
// kShortestBytes are left: blotting out every "1" would hide the output and not the secret; so are lines of one that
// are shorter than kShortestLineBytes and not beside the others. There are kOthers such forms and lines at most, of
// kOtherBytes together, for all values: enough for a few keys in PEM. What a program encodes otherwise or cuts in
// pieces it writes apart from each other is beyond this.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace capsule {

class SecretMask {
 public:
  static constexpr size_t kShortestBytes = 4, kShortestLineBytes = 8;
  static constexpr size_t kOthers = 512, kOtherBytes = 32u << 10;

  SecretMask() = default;
  explicit SecretMask(const std::map<std::string, std::string>& secrets);

  bool empty() const { return values_.empty(); }
  void apply(std::string& text) const;
  // Of one text, a line each: a value can go over several.
  void apply(std::vector<std::string>& lines) const;
  // Bytes at the end of a piece that may be the beginning of a secret: to be kept back until what follows is known.
  size_t undecided_bytes(std::string_view piece) const;
  // For text that was cut there, so that it will never be known: what can be a part of a secret is blotted out.
  void apply_to_cut_end(std::string& text) const;
  void apply_to_cut_beginning(std::string& text) const;

 private:
  void add(std::string value);
  void add_others(const std::string& value);

  std::vector<std::string> values_;       // longest first: one may be part of another
  std::array<bool, 256> begins_value_{};  // by first byte
  size_t others_ = 0, other_bytes_ = 0;
};

}  // namespace capsule
