#include "manager/observe/api_keys.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/posix_io.h"
#include "manager/observe/log.h"

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::string_view kKeyBegin = "capsule_";
constexpr size_t kKeyFileBytes = 256 * 1024;

Result<ApiKey> parse_one(const Json& row) {
  const auto wrong = [] { return failure(Errc::kInvalid, "an entry of the API keys is damaged"); };
  if (!row.is_object()) return wrong();
  const auto text = [&](const char* name) {
    return row.contains(name) && row[name].is_string() ? row[name].get<std::string>() : std::string();
  };
  const auto number = [&](const char* name) -> std::optional<int64_t> {
    if (!row.contains(name) || !row[name].is_number_integer()) return std::nullopt;
    return row[name].get<int64_t>();
  };
  const auto digest = digest_from_hex(text("sha256"));
  const auto per_minute = number("requests_per_minute"), made = number("made_ms"), expires = number("expires_ms");
  if (!digest || !per_minute || *per_minute < 1 || !made || !expires || !check_key_name(text("name"))) return wrong();
  return ApiKey{text("name"), *digest, static_cast<uint64_t>(*per_minute), *made, *expires};
}

}  // namespace

Status check_key_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  if (!name.empty() && name.size() <= kApiKeyNameBytes && std::all_of(name.begin(), name.end(), is_plain)) return {};
  return failure(Errc::kInvalid, "the name of a key is 1 to 64 letters, digits, '.', '_' and '-'");
}

Result<std::string> make_key_text() {
  Digest bits{};
  if (getrandom(bits.data(), bits.size(), 0) != static_cast<ssize_t>(bits.size())) return system_failure("getrandom");
  return std::string(kKeyBegin) + hex_text(bits);
}

Result<std::vector<ApiKey>> parse_api_keys(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object() || !document.contains("keys") || !document["keys"].is_array() ||
      document["keys"].size() > kApiKeys) {
    return failure(Errc::kInvalid, "the file of API keys is damaged");
  }
  std::vector<ApiKey> keys;
  for (const Json& row : document["keys"]) {
    auto key = parse_one(row);
    if (!key) return tl::unexpected<Error>(key.error());
    keys.push_back(std::move(*key));
  }
  return keys;
}

std::string api_keys_json(const std::vector<ApiKey>& keys) {
  Json rows = Json::array();
  for (const ApiKey& key : keys) {
    rows.push_back({{"name", key.name},
                    {"sha256", hex_text(key.digest)},
                    {"requests_per_minute", key.requests_per_minute},
                    {"made_ms", key.made_ms},
                    {"expires_ms", key.expires_ms}});
  }
  return Json{{"v", 1}, {"keys", std::move(rows)}}.dump(1) + "\n";
}

const ApiKey* find_api_key(const std::vector<ApiKey>& keys, std::string_view presented) {
  const Digest digest = sha256(presented);
  const ApiKey* found = nullptr;
  for (const ApiKey& key : keys) {
    if (is_same_digest(key.digest, digest)) found = &key;
  }
  return found;
}

Result<std::vector<ApiKey>> read_api_keys(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) return std::vector<ApiKey>{};
  return read_regular_file(path, kKeyFileBytes).and_then([](const std::string& text) { return parse_api_keys(text); });
}

Status write_api_keys(const std::string& path, const std::vector<ApiKey>& keys) {
  const std::string part = path + ".part";
  (void)unlink(part.c_str());
  const UniqueFd file(open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return system_failure("open " + part);
  const std::string directory = std::filesystem::path(path).parent_path().string();
  struct stat owner {};
  if (stat(directory.c_str(), &owner) != 0) return system_failure("look at " + directory);
  if (geteuid() == 0 && fchown(file.get(), owner.st_uid, owner.st_gid) != 0) return system_failure("chown " + part);
  if (const Status done = write_all(file.get(), api_keys_json(keys)); !done) return done;
  if (fsync(file.get()) != 0 || std::rename(part.c_str(), path.c_str()) != 0) return system_failure("write " + path);
  return {};
}

bool KeyAllowance::take(uint64_t requests_per_minute, TimePoint now) {
  const auto limit = static_cast<double>(requests_per_minute);
  if (at_ != TimePoint{}) spent_ = std::max(0.0, spent_ - to_seconds(now - at_) * limit / 60);
  at_ = now;
  if (spent_ + 1 > limit) return false;
  spent_ += 1;
  return true;
}

void KeyRing::read_when_changed() {
  struct stat file {};
  if (stat(path_.c_str(), &file) != 0) file = {};
  const bool is_same = file.st_ino == seen_.st_ino && file.st_size == seen_.st_size &&
                       file.st_mtim.tv_sec == seen_.st_mtim.tv_sec && file.st_mtim.tv_nsec == seen_.st_mtim.tv_nsec;
  if (is_read_ && is_same) return;
  seen_ = file;
  is_read_ = true;
  auto keys = read_api_keys(path_);
  if (!keys) log_warning("API keys cannot be read: none holds", {{"error", keys.error().message}});
  keys_ = keys ? std::move(*keys) : std::vector<ApiKey>{};
  std::erase_if(allowances_, [this](const auto& entry) {
    return std::none_of(keys_.begin(), keys_.end(), [&](const ApiKey& key) { return key.name == entry.first; });
  });
}

KeyRuling KeyRing::rule(std::string_view presented, int64_t wall_ms, TimePoint now) {
  using Outcome = KeyRuling::Outcome;
  read_when_changed();
  const ApiKey* key = find_api_key(keys_, presented);
  if (key == nullptr) return {Outcome::kUnknown, {}};
  if (key->expires_ms != 0 && key->expires_ms <= wall_ms) return {Outcome::kExpired, key->name};
  const bool may = allowances_[key->name].take(key->requests_per_minute, now);
  return {may ? Outcome::kAllowed : Outcome::kTooMany, key->name};
}

}  // namespace capsule
