#include "cli/private_manager.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/unit/cli/memory_file.h"

namespace capsule::cli {
namespace {

SocketCandidate users(const std::string& directory) { return {directory + "/capsule.sock", SocketOwner::kUser}; }

}  // namespace

TEST_CASE("the socket's directory is made, closed to others", "[cli]") {
  const TemporaryDirectory place;
  const std::string directory = place.path() + "/capsule";
  REQUIRE(prepare_socket_directory(users(directory)));
  struct stat info {};
  REQUIRE(stat(directory.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0700);
  CHECK(prepare_socket_directory(users(directory)));
}

TEST_CASE("a directory that others can enter is refused with the command that closes it", "[cli]") {
  const TemporaryDirectory place;
  REQUIRE(chmod(place.path().c_str(), 0755) == 0);
  const auto status = prepare_socket_directory(users(place.path()));
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::kRefused);
  CHECK(status.error().message.find("chmod 700") != std::string::npos);
}

TEST_CASE("a symbolic link or a file in the directory's place is refused", "[cli]") {
  const TemporaryDirectory place;
  const std::string link = place.path() + "/link";
  REQUIRE(symlink(place.path().c_str(), link.c_str()) == 0);
  CHECK(prepare_socket_directory(users(link)).error().code == Errc::kRefused);
}

TEST_CASE("a directory the caller named may be open to a group", "[cli]") {
  const TemporaryDirectory place;
  REQUIRE(chmod(place.path().c_str(), 0770) == 0);
  CHECK(prepare_socket_directory({place.path() + "/x.sock", SocketOwner::kNamed}));
}

}  // namespace capsule::cli
