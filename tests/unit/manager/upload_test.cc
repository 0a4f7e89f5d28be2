#include "manager/files/upload.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/unit/manager/temp_tree.h"

namespace capsule {
namespace {

constexpr UploadLimits kWide{100, 1u << 20};

FilePut piece(const std::string& path, const std::string& data) {
  FilePut put;
  put.path.value = path;
  put.data.value = data;
  return put;
}

Result<Manifest> store(const std::unique_ptr<Upload>& upload, const std::shared_ptr<Workspace>& workspace,
                       int slices_max = 1000) {
  Storing storing(std::shared_ptr<const Upload>(upload.get(), [](const Upload*) {}), workspace);
  for (int slice = 0; slice < slices_max; ++slice) {
    const auto whole = storing.step();
    if (!whole) return tl::unexpected<Error>(whole.error());
    if (*whole) return storing.take_manifest();
  }
  return failure(Errc::kTimedOut, "more slices than expected");
}

struct stat facts_of(const std::filesystem::path& path) {
  struct stat facts {};
  REQUIRE(stat(path.c_str(), &facts) == 0);
  return facts;
}

}  // namespace

TEST_CASE("an upload's pieces become files") {
  const TempTree tree;
  auto upload = Upload::make();
  REQUIRE(upload);
  REQUIRE((*upload)->put(piece("a", "one "), kWide));
  REQUIRE((*upload)->put(piece("a", "two"), kWide));
  FilePut tool = piece("d/tool", "#!");
  tool.executable = true;
  REQUIRE((*upload)->put(tool, kWide));
  REQUIRE((*upload)->put(piece("empty", ""), kWide));
  const auto workspace =
      Workspace::adopt(UniqueFd(open(tree.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), nullptr);
  REQUIRE(workspace);
  const auto manifest = store(*upload, *workspace);
  REQUIRE(manifest);
  CHECK(TempTree::read(tree.path("a")) == "one two");
  CHECK(TempTree::read(tree.path("d/tool")) == "#!");
  CHECK((facts_of(tree.path("d/tool")).st_mode & 0777) == 0755);
  CHECK((facts_of(tree.path("a")).st_mode & 0777) == 0644);
  CHECK(facts_of(tree.path("empty")).st_size == 0);

  SECTION("a file nobody touched is the uploaded one; one written with the same bytes is not") {
    CHECK(manifest->at("a").is(facts_of(tree.path("a"))));
    TempTree::write(tree.path("a"), "one two");
    CHECK_FALSE(manifest->at("a").is(facts_of(tree.path("a"))));
  }
}

TEST_CASE("an upload keeps its limits") {
  auto upload = Upload::make();
  REQUIRE(upload);
  const UploadLimits limits{2, 8};
  CHECK((*upload)->put(piece("../a", ""), limits).error().code == Errc::kInvalid);
  REQUIRE((*upload)->put(piece("a", "1234"), limits));
  CHECK((*upload)->put(piece("a", "12345"), limits).error().code == Errc::kTooLarge);
  REQUIRE((*upload)->put(piece("b", "1234"), limits));
  CHECK((*upload)->put(piece("c", ""), limits).error().code == Errc::kTooLarge);
  CHECK((*upload)->put(piece("a", "1"), limits).error().code == Errc::kInvalid);
}

TEST_CASE("an upload is stored in slices of bounded size, and each file appears whole") {
  const TempTree tree;
  const std::string large(3 * Storing::kSliceBytes + 1, 'x');
  std::shared_ptr<Upload> upload = std::move(*Upload::make());
  const UploadLimits limits{100, 1u << 30};
  REQUIRE(upload->put(piece("large", large), limits));
  for (size_t i = 0; i < 2 * Storing::kSliceFiles; ++i)
    REQUIRE(upload->put(piece("f" + std::to_string(i), "."), limits));
  const auto workspace =
      Workspace::adopt(UniqueFd(open(tree.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), nullptr);
  REQUIRE(workspace);

  SECTION("to the end") {
    Storing storing(upload, *workspace);
    for (int slice = 0; slice < 3; ++slice) {
      REQUIRE(storing.step() == false);
      CHECK_FALSE(std::filesystem::exists(tree.path("large")));
    }
    REQUIRE(storing.step() == false);
    CHECK(TempTree::read(tree.path("large")) == large);
    int slices = 1;
    while (!storing.step().value()) ++slices;
    CHECK(slices >= 2);
    CHECK(storing.take_manifest().size() == 1 + 2 * Storing::kSliceFiles);
  }
  SECTION("given up on the way, it leaves no half a file") {
    { CHECK(Storing(upload, *workspace).step() == false); }
    CHECK(std::filesystem::is_empty(tree.path()));
  }
}

TEST_CASE("the place of a workspace goes with its last owner") {
  const TempTree tree;
  auto place = std::make_shared<int>(0);
  const std::weak_ptr<int> seen = place;
  auto workspace = Workspace::adopt(UniqueFd(open(tree.path().c_str(), O_PATH | O_CLOEXEC)), std::move(place));
  REQUIRE(workspace);
  auto second = *workspace;
  workspace->reset();
  CHECK_FALSE(seen.expired());
  second.reset();
  CHECK(seen.expired());
}

}  // namespace capsule
