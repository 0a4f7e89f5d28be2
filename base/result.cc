#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace capsule {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::kInvalid: return "invalid";
    case Errc::kTooLarge: return "too_large";
    case Errc::kNotFound: return "not_found";
    case Errc::kConflict: return "conflict";
    case Errc::kRefused: return "refused";
    case Errc::kUnavailable: return "unavailable";
    case Errc::kTimedOut: return "timed_out";
    case Errc::kClosed: return "closed";
    case Errc::kSystem: return "system";
  }
  return "system";
}

tl::unexpected<Error> system_failure(std::string_view what) {
  const int saved = errno;
  auto error = failure(Errc::kSystem, std::string(what) + ": " + std::strerror(saved));
  errno = saved;  // callers still tell EAGAIN from the rest by it
  return error;
}

}  // namespace capsule
