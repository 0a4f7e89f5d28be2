#include "cli/profile_layers.h"

#include <nlohmann/json.hpp>

#include "cli/document_request.h"

namespace capsule::cli {
namespace {

using Json = nlohmann::json;

std::string text_of(const Json& row, const char* key) {
  const auto found = row.is_object() ? row.find(key) : row.end();
  return row.is_object() && found != row.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The row of a list whose member `key` is `wanted`; null without one.
Json row_of(const Json& document, const char* list, const char* key, const std::string& wanted) {
  if (!document.is_object() || !document.contains(list) || !document[list].is_array()) return nullptr;
  for (const Json& row : document[list]) {
    if (text_of(row, key) == wanted) return row;
  }
  return nullptr;
}

}  // namespace

ProfileLayers profile_layers_in(const std::string& text, const std::string& profile, const std::string& session) {
  const Json document = Json::parse(text, nullptr, false);
  const std::string name =
      session.empty() ? profile : text_of(row_of(document, "sessions", "session", session), "profile");
  if (name.empty()) return {{}, "there is no such session"};
  const Json pool = row_of(document, "pools", "profile", name);
  if (pool.is_null()) return {{}, "there is no such profile"};
  ProfileLayers found;
  if (pool.contains("layers") && pool["layers"].is_array()) {
    for (const Json& row : pool["layers"]) {
      found.layers.push_back({text_of(row, "name"), text_of(row, "state"), text_of(row, "detail")});
    }
  }
  if (found.layers.empty()) found.missing = "no capsule of this profile has come up yet";
  return found;
}

ProfileLayers ask_profile_layers(Client& client, const std::string& profile, const std::string& session) {
  const auto document = request_document(client, InfoRequest{.id = 0, .sections = {"pools", "sessions"}});
  if (!document) return {{}, "the manager does not tell: " + document.error().message};
  return profile_layers_in(*document, profile.empty() ? client.manager().profile : profile, session);
}

}  // namespace capsule::cli
