// SHA-256 and base64, by OpenSSL's EVP. The only file that includes OpenSSL.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace capsule {

inline constexpr size_t kDigestBytes = 32;
using Digest = std::array<char, kDigestBytes>;

class Sha256 {
 public:
  Sha256();
  void add(std::string_view bytes);
  Digest finish();  // once

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

Digest sha256(std::string_view bytes);
Digest keyed_digest(std::string_view key, std::string_view bytes);  // HMAC-SHA256 (RFC 2104)

// 64 lower-case hexadecimal digits; nothing else is one.
std::string hex_text(const Digest& digest);
std::optional<Digest> digest_from_hex(std::string_view text);

std::string base64_text(std::string_view bytes);

// Takes the same time wherever the two differ: for what proves who somebody is.
bool is_same_digest(const Digest& one, const Digest& other);

}  // namespace capsule
