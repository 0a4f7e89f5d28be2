// Where the programs and scripts are that the benchmark starts.
#pragma once

#include <string>

namespace capsule::bench {

inline constexpr const char* kPython = "/usr/bin/python3";  // Debian's: the one Capsule embeds

// Below the build directory this benchmark is in: "cli/capsule".
std::string built(const std::string& path);
// A script beside this benchmark's sources: "peers.py".
std::string script(const std::string& name);

}  // namespace capsule::bench
