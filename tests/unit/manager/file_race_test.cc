// A thread that swaps names as fast as it can, against the only way in. What wins once in a thousand attempts wins
// here: the short form is for every run of the tests, CAPSULE_RACE_ATTEMPTS=100000 (make races) the long one.
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "manager/files/beneath.h"
#include "manager/files/walk.h"
#include "tests/unit/manager/temp_tree.h"

namespace capsule {
namespace {

namespace fs = std::filesystem;
constexpr int kShortAttempts = 2000;

int attempts() {
  const char* wanted = std::getenv("CAPSULE_RACE_ATTEMPTS");
  return wanted == nullptr ? kShortAttempts : std::atoi(wanted);
}

class Swapper {
 public:
  explicit Swapper(std::function<void()> swap)
      : thread_([this, swap = std::move(swap)] {
          while (!stop_) {
            swap();
            ++swaps_;
          }
        }) {
    while (swaps_ == 0) std::this_thread::yield();
  }
  ~Swapper() {
    stop_ = true;
    thread_.join();
  }
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;
  long swaps() const { return swaps_; }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<long> swaps_ = 0;
  std::thread thread_;
};

// Both names exist at any moment; what they mean changes places.
void exchange(const fs::path& a, const fs::path& b) {
  syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
}

// What a naive reader would get, to show that the attacker is quick enough to matter.
bool is_secret(int fd) {
  char text[8] = {};
  return pread(fd, text, 6, 0) == 6 && std::string(text) == "secret";
}

// On one processor the attacker may not run at all for a while: then it is given more time, within bounds.
bool is_one_sided(int read, int tried) { return (read == 0 || read == tried) && tried < 200 * attempts(); }

}  // namespace

TEST_CASE("a file that is swapped with a link to the outside is never read through it", "[race]") {
  const TempTree tree;
  TempTree::write(tree.path("a"), "inside");
  fs::create_symlink(tree.secret(), tree.path("b"));
  const Swapper swapper([&] { exchange(tree.path("a"), tree.path("b")); });
  int read = 0, won = 0;
  int tried = 0;
  for (; tried < attempts() || is_one_sided(read, tried); ++tried) {
    const auto file = beneath::open_to_read(tree.fd(), "a", 100);
    read += file ? 1 : 0;
    won += file && is_secret(file->fd.get()) ? 1 : 0;
  }
  CHECK(won == 0);
  CHECK(read > 0);
  CHECK(read < tried);
}

TEST_CASE("a directory that is swapped with a link to the outside never lets a reader out", "[race]") {
  const TempTree tree;
  fs::create_directories(tree.path("d"));
  TempTree::write(tree.path("d/secret"), "inside");
  fs::create_symlink(tree.outside(), tree.path("e"));
  const Swapper swapper([&] { exchange(tree.path("d"), tree.path("e")); });
  int read = 0, won = 0;
  int tried = 0;
  for (; tried < attempts() || is_one_sided(read, tried); ++tried) {
    const auto file = beneath::open_to_read(tree.fd(), "d/secret", 100);
    read += file ? 1 : 0;
    won += file && is_secret(file->fd.get()) ? 1 : 0;
  }
  CHECK(won == 0);
  CHECK(read > 0);
  CHECK(read < tried);
}

TEST_CASE("a directory that is moved up and down never lets a reader out", "[race]") {
  const TempTree tree;
  fs::create_directories(tree.path("x/y/z"));
  TempTree::write(tree.path("x/y/z/secret"), "inside");
  const Swapper swapper([&] {
    rename(tree.path("x/y").c_str(), tree.path("y").c_str());
    rename(tree.path("y").c_str(), tree.path("x/y").c_str());
  });
  int read = 0, won = 0;
  int tried = 0;
  for (; tried < attempts() || is_one_sided(read, tried); ++tried) {
    const auto file = beneath::open_to_read(tree.fd(), "x/y/z/secret", 100);
    read += file ? 1 : 0;
    won += file && is_secret(file->fd.get()) ? 1 : 0;
  }
  CHECK(won == 0);
  CHECK(read > 0);
  CHECK(read < tried);
}

TEST_CASE("a file is never written through a link that is swapped in", "[race]") {
  const TempTree tree;
  fs::create_directories(tree.path("d"));
  fs::create_symlink(tree.outside(), tree.path("e"));
  UniqueFd memory(memfd_create("test", MFD_CLOEXEC));
  REQUIRE(::write(memory.get(), "planted", 7) == 7);
  int written = 0;
  {
    const Swapper swapper([&] { exchange(tree.path("d"), tree.path("e")); });
    for (int i = 0; i < attempts() || is_one_sided(written, i); ++i) {
      written += beneath::write_file(tree.fd(), "d/secret", {memory.get(), 0, 7, 0644}) ? 1 : 0;
    }
  }
  CHECK(tree.outside_is_untouched());
  CHECK(written > 0);
}

TEST_CASE("a file that is swapped with a link is replaced, never written through", "[race]") {
  const TempTree tree;
  TempTree::write(tree.path("a"), "inside");
  UniqueFd memory(memfd_create("test", MFD_CLOEXEC));
  REQUIRE(::write(memory.get(), "planted", 7) == 7);
  {
    const Swapper swapper([&] {
      std::error_code there;
      fs::create_symlink(tree.secret(), tree.path("b"), there);
      exchange(tree.path("a"), tree.path("b"));
    });
    for (int i = 0; i < attempts(); ++i) {
      (void)beneath::write_file(tree.fd(), "a", {memory.get(), 0, 7, 0644});
    }
  }
  CHECK(tree.outside_is_untouched());
}

TEST_CASE("a walk in a tree that is being renamed stays in it", "[race]") {
  const TempTree tree;
  fs::create_directories(tree.path("d/e"));
  TempTree::write(tree.path("d/e/inside"), "x");
  fs::create_symlink(tree.outside(), tree.path("f"));
  const Swapper swapper([&] { exchange(tree.path("d"), tree.path("f")); });
  int escaped = 0, seen = 0;
  int tried = 0;
  for (; tried < attempts() || is_one_sided(seen, tried); ++tried) {
    const auto walk = walk_files(tree.fd(), "", {100, 1000, 100, seconds(60)},
                                 [](const std::string&, const struct stat&) { return true; });
    REQUIRE(walk);
    for (const Found& found : walk->found) {
      escaped += found.path.ends_with("secret") ? 1 : 0;
      seen += found.path == "d/e/inside" ? 1 : 0;  // else it is below `f` just then, or on its way
    }
  }
  CHECK(escaped == 0);
  CHECK(seen > 0);
  CHECK(seen < tried);
}

}  // namespace capsule
