// What is mapped shared in this process, by both ways to know it.
#include "worker/shared_mappings.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>

#include "base/posix_io.h"
#include "base/unique_fd.h"

using namespace capsule;

namespace {

constexpr size_t kBytes = 8192;

// For as long as it lives.
class Mapped {
 public:
  Mapped(int protection, int flags, int fd = -1) : at_(mmap(nullptr, kBytes, protection, flags, fd, 0)) {
    REQUIRE(at_ != MAP_FAILED);
  }
  ~Mapped() { munmap(at_, kBytes); }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

 private:
  void* at_;
};

auto count(const std::vector<SharedMapping>& mappings, const std::string& name, int protection) {
  return std::count_if(mappings.begin(), mappings.end(),
                       [&](const SharedMapping& one) { return one.name == name && one.protection == protection; });
}

}  // namespace

TEST_CASE("memory that is shared is listed by its name", "[shared_mappings]") {
  const std::string anonymous = "/dev/zero (deleted)", named = "/memfd:shared-mappings-test (deleted)";
  constexpr int kWrite = PROT_READ | PROT_WRITE;
  const auto before = shared_mappings();
  const UniqueFd file(memfd_create("shared-mappings-test", MFD_CLOEXEC));
  REQUIRE(ftruncate(file.get(), kBytes) == 0);
  const Mapped without_name(kWrite, MAP_SHARED | MAP_ANONYMOUS);
  const Mapped with_name(kWrite, MAP_SHARED, file.get());
  const Mapped own(kWrite, MAP_PRIVATE, file.get());
  const Mapped only_read(PROT_READ, MAP_SHARED, file.get());
  const auto after = shared_mappings();
  CHECK(after.size() == before.size() + 3);
  CHECK(count(after, anonymous, kWrite) == count(before, anonymous, kWrite) + 1);
  CHECK(count(after, named, kWrite) == 1);
  CHECK(count(after, named, PROT_READ) == 1);
}

TEST_CASE("a kernel that is asked for them says what its list says", "[shared_mappings]") {
  const Mapped shared(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
  const auto asked = query_shared_mappings();
  if (!asked) {
    WARN("not tested: this kernel has no PROCMAP_QUERY (before 6.11)");
    return;
  }
  CHECK(*asked == read_shared_mappings());
}

TEST_CASE("what is mapped anew is what has the name by now", "[shared_mappings]") {
  std::string name = (std::filesystem::temp_directory_path() / "capsule-mapping-XXXXXX").string();
  const auto write_new = [&name](char content) {
    const UniqueFd file(open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
    REQUIRE(write_all(file.get(), std::string(kBytes, content)));
  };
  REQUIRE(close(mkstemp(name.data())) == 0);
  std::filesystem::remove(name);
  write_new('a');
  const UniqueFd old(open(name.c_str(), O_RDWR));
  const Mapped mapped(PROT_READ | PROT_WRITE, MAP_SHARED, old.get());
  const auto all = shared_mappings();
  const auto found =
      std::find_if(all.begin(), all.end(), [&name](const SharedMapping& one) { return one.name == name; });
  REQUIRE(found != all.end());
  auto* const bytes = reinterpret_cast<volatile char*>(found->start);
  CHECK(bytes[0] == 'a');
  std::filesystem::remove(name);
  write_new('b');
  map_anew(*found);
  CHECK(bytes[kBytes - 1] == 'b');
  bytes[0] = 'c';
  char in_old = 0;
  CHECK((pread(old.get(), &in_old, 1, 0) == 1 && in_old == 'a'));
  std::filesystem::remove(name);
}

TEST_CASE("more shared mappings than the bound are not looked at", "[shared_mappings]") {
  std::vector<std::unique_ptr<Mapped>> many;
  for (size_t i = 0; i < kSharedMappingsMax + 1; ++i) {
    many.push_back(std::make_unique<Mapped>(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS));
  }
  CHECK(shared_mappings().size() == kSharedMappingsMax);
}
