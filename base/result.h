// What can go wrong is a value: Result<T> holds a T or an Error. Bugs are assertions, not Results.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace capsule {

// Why something failed, coarse enough to decide on; the text says the rest and what to do about it.
enum class Errc {
  kInvalid,   // the input is wrong; sending it again cannot help
  kTooLarge,  // a named limit was passed
  kNotFound,
  kConflict,     // right input, wrong moment (busy, already there, closed)
  kRefused,      // not allowed for this peer
  kUnavailable,  // cannot be had now; trying later may help
  kTimedOut,
  kClosed,  // the other end is gone
  kSystem,  // the operating system said no
};

std::string_view to_string(Errc code);

struct Error {
  Errc code = Errc::kSystem;
  std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> failure(Errc code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

// "<what>: <strerror(errno)>" with code kSystem. Leaves errno as it was.
tl::unexpected<Error> system_failure(std::string_view what);

}  // namespace capsule
