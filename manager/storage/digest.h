// SHA-256 and base64, by OpenSSL's EVP. This folder is the only one that includes OpenSSL.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
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

std::string hex_text(const Digest& digest);
std::string base64_text(std::string_view bytes);

}  // namespace capsule
