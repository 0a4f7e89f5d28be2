#include "protocol/file_path.h"

#include <catch2/catch.hpp>
#include <string>

#include "protocol/limits.h"

namespace capsule {

TEST_CASE("relative paths of plain parts are taken, whatever their bytes") {
  for (const std::string path : {"a", "a/b", "...", ".a", "a..", "a b", "\xC3", "a\nb", "\x1B[31m", "-rf", "a:b"}) {
    INFO(path);
    CHECK(check_file_path(path));
  }
  CHECK(check_file_path(std::string(255, 'x')));
}

TEST_CASE("paths that lead elsewhere, or nowhere, are refused") {
  for (const std::string path :
       {"", "/", "/etc/passwd", "..", "../a", "a/..", "a/../b", ".", "./a", "a/.", "a//b", "a/", "//a", "a/./b"}) {
    INFO(path);
    CHECK_FALSE(check_file_path(path));
  }
  CHECK_FALSE(check_file_path(std::string("a\0b", 3)));
}

TEST_CASE("a path has at most kPathBytes bytes and kPathDepth parts") {
  std::string deep = "d";
  for (size_t i = 1; i < limits::kPathDepth; ++i) deep += "/d";
  CHECK(check_file_path(deep));
  CHECK(check_file_path(deep + "/d").error().code == Errc::kTooLarge);
  CHECK(check_file_path(std::string(limits::kPathBytes, 'x')));
  CHECK(check_file_path(std::string(limits::kPathBytes + 1, 'x')).error().code == Errc::kTooLarge);
}

TEST_CASE("what a refusal shows of a path cannot drive a terminal") {
  CHECK(check_file_path("/\x1B[31m").error().message.find('\x1B') == std::string::npos);
}

}  // namespace capsule
