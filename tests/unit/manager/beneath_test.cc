#include "manager/files/beneath.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "tests/unit/manager/temp_tree.h"

namespace capsule {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kLarge = 1u << 20;

std::string read_all(const beneath::File& file) {
  std::string text(static_cast<size_t>(file.facts.st_size), '\0');
  const ssize_t got = pread(file.fd.get(), text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

Errc refusal(const TempTree& tree, const std::string& path) {
  const auto file = beneath::open_to_read(tree.fd(), path, kLarge);
  REQUIRE_FALSE(file);
  return file.error().code;
}

Status put(const TempTree& tree, const std::string& path, const std::string& text) {
  UniqueFd memory(memfd_create("test", MFD_CLOEXEC));
  REQUIRE(::write(memory.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  const auto written = beneath::write_file(tree.fd(), path, {memory.get(), 0, text.size(), 0644});
  return written ? Status{} : tl::unexpected<Error>(written.error());
}

}  // namespace

TEST_CASE("a regular file is read") {
  const TempTree tree;
  fs::create_directories(tree.path("d"));
  TempTree::write(tree.path("d/a"), "hello");
  const auto file = beneath::open_to_read(tree.fd(), "d/a", kLarge);
  REQUIRE(file);
  CHECK(read_all(*file) == "hello");
}

TEST_CASE("links are not followed, at the end or on the way") {
  const TempTree tree;
  fs::create_symlink(tree.secret(), tree.path("absolute"));
  fs::create_symlink("../outside/secret", tree.path("relative"));
  fs::create_symlink("../outside", tree.path("directory"));
  fs::create_symlink("/proc/self/root", tree.path("magic"));
  TempTree::write(tree.path("a"), "a");
  fs::create_symlink("a", tree.path("harmless"));
  for (const std::string path : {"absolute", "relative", "directory/secret", "magic/etc/passwd", "harmless"}) {
    INFO(path);
    CHECK(refusal(tree, path) == Errc::kRefused);
  }
}

TEST_CASE("what is not a regular file with one name is refused without waiting") {
  const TempTree tree;
  REQUIRE(mkfifo(tree.path("fifo").c_str(), 0600) == 0);
  fs::create_directories(tree.path("directory"));
  TempTree::write(tree.path("one"), "1");
  fs::create_hard_link(tree.path("one"), tree.path("two"));
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, tree.path("socket").c_str(), sizeof address.sun_path - 1);
  REQUIRE(bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  for (const std::string path : {"fifo", "directory", "one", "two", "socket"}) {
    INFO(path);
    CHECK(refusal(tree, path) == Errc::kRefused);
  }
  CHECK(refusal(tree, "nothing") == Errc::kNotFound);
}

TEST_CASE("a sparse file of a tebibyte is refused by its size") {
  const TempTree tree;
  const UniqueFd file(open(tree.path("sparse").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(ftruncate(file.get(), off_t{1} << 40) == 0);
  CHECK(refusal(tree, "sparse") == Errc::kTooLarge);
}

TEST_CASE("a written file replaces a link and leaves its target alone") {
  const TempTree tree;
  fs::create_symlink(tree.secret(), tree.path("a"));
  fs::create_hard_link(tree.secret(), tree.path("b"));
  REQUIRE(put(tree, "a", "new"));
  REQUIRE(put(tree, "b", "new"));
  CHECK(fs::is_regular_file(fs::symlink_status(tree.path("a"))));
  CHECK(TempTree::read(tree.path("a")) == "new");
  CHECK(TempTree::read(tree.path("b")) == "new");
  CHECK(tree.outside_is_untouched());
}

TEST_CASE("directories on the way are made; one that is a link is refused") {
  const TempTree tree;
  REQUIRE(put(tree, "x/y/z", "deep"));
  CHECK(TempTree::read(tree.path("x/y/z")) == "deep");
  fs::create_symlink("../outside", tree.path("out"));
  CHECK_FALSE(put(tree, "out/planted", "no"));
  CHECK_FALSE(put(tree, "x/y", "a directory is there"));
  CHECK(tree.outside_is_untouched());
}

TEST_CASE("nothing is left of a file that could not be written") {
  const TempTree tree;
  fs::create_directories(tree.path("d"));
  CHECK_FALSE(put(tree, "d", "a directory is there"));
  size_t names = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(tree.path())) ++names;
  CHECK(names == 1);
}

}  // namespace capsule
