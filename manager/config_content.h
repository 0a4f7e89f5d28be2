// What [profiles.NAME] says besides knobs: modules, network, mounts, environment, package directories. Read from TOML
// and checked here; private to the config_*.cc files.
#pragma once

#include <toml++/toml.h>

#include <functional>
#include <string>
#include <vector>

#include "manager/config.h"

namespace capsule {

// Told what is wrong, and where; the reader goes on.
using ReportProblem = std::function<void(const toml::source_position&, std::string)>;

// "\"numpy\"", "12", "a table": for errors.
std::string describe_found(const toml::node& node);
std::string quoted(std::string_view text);

// The keys that read_content() takes.
const std::vector<std::string_view>& content_keys();

// `prefix` is "profiles.NAME.". What `table` does not mention stays as it is in `into`.
void read_content(const toml::table& table, const std::string& prefix, Profile& into, const ReportProblem& report);

}  // namespace capsule
