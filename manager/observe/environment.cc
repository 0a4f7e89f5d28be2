#include "manager/observe/environment.h"

#include <charconv>
#include <cstdlib>

namespace capsule {

std::string take_variable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) return {};
  std::string copy = value;
  unsetenv(name);
  return copy;
}

Result<uint64_t> parse_variable_number(const char* name, const std::string& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return failure(Errc::kInvalid, std::string(name) + " is not a number");
  }
  return number;
}

}  // namespace capsule
