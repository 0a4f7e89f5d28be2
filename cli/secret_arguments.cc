#include "cli/secret_arguments.h"

#include <cstdlib>

#include "base/posix_io.h"
#include "protocol/limits.h"

namespace capsule::cli {

Result<std::map<std::string, std::string>> read_secrets(const SecretSources& sources) {
  std::map<std::string, std::string> secrets;
  for (const std::string& name : sources.variables) {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return failure(Errc::kNotFound, "--secret-env: there is no variable " + name + " here");
    secrets[name] = value;
  }
  for (const std::string& text : sources.files) {
    const size_t equals = text.find('=');
    if (equals == text.npos || equals == 0) {
      return failure(Errc::kInvalid, "--secret-file takes NAME=PATH, such as TOKEN=/run/secrets/token");
    }
    auto value = read_file(text.substr(equals + 1), limits::kSecretBytes);
    if (!value) return tl::unexpected<Error>(value.error());
    if (value->ends_with('\n')) value->pop_back();
    secrets[text.substr(0, equals)] = std::move(*value);
  }
  return secrets;
}

}  // namespace capsule::cli
