#include "cli/display_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/unit/cli/memory_file.h"

namespace capsule::cli {
namespace {

const Bundle kPicture{{"image/png", {"PNG"}}, {"text/html", {"<b>"}}, {"text/plain", {"<Figure>"}}};

}  // namespace

TEST_CASE("all but plain text is saved under names of the run", "[cli]") {
  const TemporaryDirectory place;
  auto files = DisplayFiles::open(place.path() + "/plots");
  REQUIRE(files);
  const auto saved = files->save("run-1", "2", kPicture);
  REQUIRE(saved);
  CHECK(*saved == std::vector<std::string>{place.path() + "/plots/run-1-2.png", place.path() + "/plots/run-1-2.html"});
  CHECK(read_file(saved->front(), 100) == "PNG");
}

TEST_CASE("an existing file or link is never written to", "[cli]") {
  const TemporaryDirectory place;
  auto files = DisplayFiles::open(place.path());
  REQUIRE(files);
  const std::string target = place.path() + "/target";
  REQUIRE(symlink(target.c_str(), (place.path() + "/run-1-1.png").c_str()) == 0);
  CHECK_FALSE(files->save("run-1", "1", kPicture));
  CHECK(access(target.c_str(), F_OK) != 0);
  REQUIRE(files->save("run-1", "2", kPicture));
  CHECK_FALSE(files->save("run-1", "2", kPicture));
}

TEST_CASE("a run id that is not one cannot become a path", "[cli]") {
  const TemporaryDirectory place;
  auto files = DisplayFiles::open(place.path());
  REQUIRE(files);
  for (const char* id : {"", "../x", "a/b", "A", "."}) CHECK_FALSE(files->save(id, "1", kPicture));
}

TEST_CASE("two types without a usual extension do not collide", "[cli]") {
  const TemporaryDirectory place;
  auto files = DisplayFiles::open(place.path());
  REQUIRE(files);
  const auto saved = files->save("r", "1", {{"application/x-a", {"a"}}, {"application/x-b", {"b"}}});
  REQUIRE(saved);
  CHECK(*saved == std::vector<std::string>{place.path() + "/r-1.bin", place.path() + "/r-1-1.bin"});
}

}  // namespace capsule::cli
