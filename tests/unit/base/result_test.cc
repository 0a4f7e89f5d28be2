#include "base/result.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <set>
#include <string>

namespace capsule {

TEST_CASE("each error code has a word of its own") {
  std::set<std::string_view> words;
  for (const Errc code : {Errc::kInvalid, Errc::kTooLarge, Errc::kNotFound, Errc::kConflict, Errc::kRefused,
                          Errc::kUnavailable, Errc::kTimedOut, Errc::kClosed, Errc::kSystem}) {
    words.insert(to_string(code));
  }
  CHECK(words.size() == 9);
}

TEST_CASE("a failure carries its code and text into any Result") {
  const Result<int> result = failure(Errc::kNotFound, "no such run");
  REQUIRE_FALSE(result);
  CHECK(result.error().code == Errc::kNotFound);
  CHECK(result.error().message == "no such run");
}

TEST_CASE("a system failure names the call and the reason") {
  errno = ENOENT;
  const Status status = system_failure("open it");
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::kSystem);
  CHECK(status.error().message == "open it: No such file or directory");
}

}  // namespace capsule
