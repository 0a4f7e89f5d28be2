// From "which socket?" to a connection, for every command.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/client.h"

namespace capsule::cli {

enum class WhenNobodyListens {
  kFail,          // and say how to start a manager
  kStartPrivate,  // start one for this user, and say so on stderr
};

// The first candidate that answers. A candidate that is there but cannot be used is an error, not skipped.
Result<Client> connect_to_manager(const std::string& socket_flag, WhenNobodyListens policy);

}  // namespace capsule::cli
