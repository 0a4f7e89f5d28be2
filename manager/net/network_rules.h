// Where the programs of a profile may connect: an exact list of hosts and ports. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "manager/config.h"

namespace capsule {

bool is_listed(const std::vector<AllowedHost>& list, const std::string& host, uint16_t port);

// Not loopback, private, link-local, multicast or reserved: what a name in the public DNS may stand for. `address` as
// text; what is none is not public.
bool is_public_address(const std::string& address);

// A name may not lead to the machine's own network, whoever controls that name: such an address has to be in the list
// itself.
bool may_connect(const std::vector<AllowedHost>& list, const std::string& host, const std::string& address,
                 uint16_t port);

}  // namespace capsule
