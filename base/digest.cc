#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cassert>
#include <new>

namespace capsule {
namespace {
constexpr std::string_view kHexDigits = "0123456789abcdef";
}  // namespace

// None of these calls can fail but for want of memory (EVP_DigestInit(3)).
Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  // Looked up once: a quarter of a microsecond is what a short text takes, and the look-up takes three (OpenSSL 3.0).
  static EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (!context_ || EVP_DigestInit_ex(context_.get(), kSha256, nullptr) != 1) throw std::bad_alloc();
}

void Sha256::add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }

Digest Sha256::finish() {
  Digest digest{};
  unsigned size = 0;
  EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()), &size);
  assert(size == kDigestBytes);
  return digest;
}

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Digest sha256(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

Digest keyed_digest(std::string_view key, std::string_view bytes) {
  Digest digest{};
  unsigned size = 0;
  const unsigned char* made =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()),
           bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &size);
  if (made == nullptr || size != kDigestBytes) throw std::bad_alloc();
  return digest;
}

std::string hex_text(const Digest& digest) {
  std::string text;
  text.reserve(2 * kDigestBytes);
  for (const char each : digest) {
    const auto byte = static_cast<unsigned char>(each);
    text += {kHexDigits[byte >> 4], kHexDigits[byte & 15]};
  }
  return text;
}

std::string base64_text(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock writes a terminating 0
  const int written =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(written));
  return text;
}

std::optional<Digest> digest_from_hex(std::string_view text) {
  if (text.size() != 2 * kDigestBytes) return std::nullopt;
  Digest digest{};
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t value = kHexDigits.find(text[i]);
    if (value == std::string_view::npos) return std::nullopt;
    digest[i / 2] = static_cast<char>(static_cast<unsigned char>(digest[i / 2]) << 4 | value);
  }
  return digest;
}

bool is_same_digest(const Digest& one, const Digest& other) {
  return CRYPTO_memcmp(one.data(), other.data(), kDigestBytes) == 0;
}

}  // namespace capsule
