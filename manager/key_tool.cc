#include "manager/key_tool.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "manager/observe/api_keys.h"

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;
constexpr int64_t kDayMs = 24 * 3600 * 1000;

Json row_of(const ApiKey& key) {
  return {{"name", key.name},
          {"requests_per_minute", key.requests_per_minute},
          {"made_at", format_utc(key.made_ms)},
          {"expires_at", key.expires_ms == 0 ? Json(nullptr) : Json(format_utc(key.expires_ms))}};
}

Result<std::string> make_key(const std::string& path, std::vector<ApiKey> keys, const KeyRequest& request,
                             int64_t wall_ms) {
  if (const Status good = check_key_name(request.name); !good) return tl::unexpected<Error>(good.error());
  const auto is_it = [&](const ApiKey& key) { return key.name == request.name; };
  if (std::any_of(keys.begin(), keys.end(), is_it)) {
    return failure(Errc::kConflict, "there is a key '" + request.name + "' already");
  }
  if (keys.size() >= kApiKeys) return failure(Errc::kTooLarge, "there are " + std::to_string(kApiKeys) + " keys");
  const auto text = make_key_text();
  if (!text) return text;
  const int64_t expires = request.days == 0 ? 0 : wall_ms + static_cast<int64_t>(request.days) * kDayMs;
  keys.push_back({request.name, sha256(*text), request.requests_per_minute, wall_ms, expires});
  if (const Status written = write_api_keys(path, keys); !written) return tl::unexpected<Error>(written.error());
  Json document = row_of(keys.back());
  document["v"] = 1;
  document["key"] = *text;
  document["file"] = path;
  return document.dump();
}

Result<std::string> remove_key(const std::string& path, std::vector<ApiKey> keys, const std::string& name) {
  const auto gone = std::remove_if(keys.begin(), keys.end(), [&](const ApiKey& key) { return key.name == name; });
  if (gone == keys.end()) return failure(Errc::kNotFound, "there is no key of that name; `capsule key ls` lists them");
  keys.erase(gone, keys.end());
  if (const Status written = write_api_keys(path, keys); !written) return tl::unexpected<Error>(written.error());
  return Json{{"v", 1}, {"name", name}, {"state", "removed"}}.dump();
}

}  // namespace

Result<std::string> use_keys(const std::string& path, const KeyRequest& request, int64_t wall_ms) {
  const UniqueFd lock(open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock || flock(lock.get(), LOCK_EX) != 0) return system_failure("lock " + path);
  auto keys = read_api_keys(path);
  if (!keys) return tl::unexpected<Error>(keys.error());
  if (request.operation == "new") return make_key(path, std::move(*keys), request, wall_ms);
  if (request.operation == "rm") return remove_key(path, std::move(*keys), request.name);
  if (request.operation != "ls") return failure(Errc::kInvalid, "the operations on keys are new, ls and rm");
  Json rows = Json::array();
  for (const ApiKey& key : *keys) rows.push_back(row_of(key));
  return Json{{"v", 1}, {"keys", std::move(rows)}}.dump();
}

}  // namespace capsule
