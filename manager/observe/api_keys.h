// API keys of the HTTP listener: who may look at more than metrics, health and version. A key is 256 random bits, shown
// once when it is made; what is stored is its SHA-256 (enough for random bits), its name and its limits, in one JSON
// file below the state directory, mode 0600. `capsule key` writes the file, a running manager reads it anew when it has
// changed. Times are wall clock: keys outlive managers.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "manager/observe/http_exporter.h"
#include "protocol/api_key_limits.h"

namespace capsule {

inline constexpr size_t kApiKeys = 256;         // in one file
inline constexpr size_t kApiKeyNameBytes = 64;  // letters, digits, `.`, `_` and `-`

struct ApiKey {
  std::string name;
  Digest digest{};
  uint64_t requests_per_minute = 600;  // also how many may come at once
  int64_t made_ms = 0;
  int64_t expires_ms = 0;  // 0: never
  bool operator==(const ApiKey&) const = default;
};

Status check_key_name(std::string_view name);

// "capsule_" and 64 hexadecimal digits.
Result<std::string> make_key_text();

Result<std::vector<ApiKey>> parse_api_keys(std::string_view json);
std::string api_keys_json(const std::vector<ApiKey>& keys);

// Looks at every key, and takes as long for each, wherever they differ.
const ApiKey* find_api_key(const std::vector<ApiKey>& keys, std::string_view presented);

// kNotFound is an empty list, not an error.
Result<std::vector<ApiKey>> read_api_keys(const std::string& path);
// All or nothing. The file belongs to whom its directory belongs.
Status write_api_keys(const std::string& path, const std::vector<ApiKey>& keys);

// How many requests a key may still make: refills steadily, up to a minute's worth. Pure.
class KeyAllowance {
 public:
  bool take(uint64_t requests_per_minute, TimePoint now);

 private:
  double spent_ = 0;
  TimePoint at_{};
};

// The keys as a manager holds them. A file that cannot be read lets nobody in, and is a warning once.
class KeyRing {
 public:
  explicit KeyRing(std::string path) : path_(std::move(path)) {}
  KeyRuling rule(std::string_view presented, int64_t wall_ms, TimePoint now);

 private:
  void read_when_changed();

  std::string path_;
  struct stat seen_ {};
  bool is_read_ = false;
  std::vector<ApiKey> keys_;
  std::map<std::string, KeyAllowance> allowances_;  // of keys_ only
};

}  // namespace capsule
