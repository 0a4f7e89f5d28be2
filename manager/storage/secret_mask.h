// Blots out the secrets of a session in what is recorded of its runs: each byte of a value becomes `*`, so that offsets
// stay what they were. Pure.
//
// Values shorter than kShortestBytes are left: blotting out every "1" would hide the output and not the secret. What a
// program encodes or cuts in pieces it writes apart from each other is beyond this.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace capsule {

class SecretMask {
 public:
  static constexpr size_t kShortestBytes = 4;

  SecretMask() = default;
  explicit SecretMask(const std::map<std::string, std::string>& secrets);

  bool empty() const { return values_.empty(); }
  void apply(std::string& text) const;
  // Bytes at the end of a piece that may be the beginning of a secret: to be kept back until what follows is known.
  size_t undecided_bytes(std::string_view piece) const;

 private:
  std::vector<std::string> values_;  // longest first: one may be part of another
};

}  // namespace capsule
