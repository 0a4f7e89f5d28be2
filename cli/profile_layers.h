// The layers of a profile, for runs that were refused before any capsule was theirs: what its latest capsule and worker
// had, as the manager tells it.
#pragma once

#include <string>
#include <vector>

#include "cli/client.h"

namespace capsule::cli {

struct ProfileLayers {
  std::vector<Layer> layers;
  std::string missing;  // why there are none
};

// `profile`: empty is the manager's standard one; `session`: whose profile it is, where that is not empty. Asks the
// manager, on a connection on which nothing else is awaited.
ProfileLayers ask_profile_layers(Client& client, const std::string& profile, const std::string& session);

// Of the answer to `info pools sessions`. Pure.
ProfileLayers profile_layers_in(const std::string& document, const std::string& profile, const std::string& session);

}  // namespace capsule::cli
