// Secrets on the command line: their names only. A value given as an argument would be readable by every process of the
// machine, so it comes from an environment variable or a file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace capsule::cli {

struct SecretSources {
  std::vector<std::string> variables;  // "NAME": the value of that variable here
  std::vector<std::string> files;      // "NAME=PATH": the file's content, without a final newline
};

// At most limits::kSecretBytes each. Errors name the secret, never its value.
Result<std::map<std::string, std::string>> read_secrets(const SecretSources& sources);

}  // namespace capsule::cli
