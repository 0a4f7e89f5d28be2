// The network of a capsule: a namespace of its own with nothing but a loopback interface, which is down until the
// profile wants it.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule::sandbox {

inline constexpr int kProxyPort = 3128;

Status bring_loopback_up();
// Listens on 127.0.0.1:kProxyPort inside. The manager accepts and decides; the capsule has no way out of its own.
Result<UniqueFd> listen_for_proxy();

}  // namespace capsule::sandbox
