// What is mapped shared in this process, by both ways to know it.
#include "worker/shared_mappings.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>

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

auto count(const std::vector<std::string>& names, const std::string& name) {
  return std::count(names.begin(), names.end(), name);
}

}  // namespace

TEST_CASE("memory that is shared and can be written to is listed by its name", "[shared_mappings]") {
  const std::string anonymous = "/dev/zero (deleted)", named = "/memfd:shared-mappings-test (deleted)";
  const auto before = shared_mappings();
  const UniqueFd file(memfd_create("shared-mappings-test", MFD_CLOEXEC));
  REQUIRE(ftruncate(file.get(), kBytes) == 0);
  const Mapped without_name(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
  const Mapped with_name(PROT_READ | PROT_WRITE, MAP_SHARED, file.get());
  const Mapped own(PROT_READ | PROT_WRITE, MAP_PRIVATE, file.get());
  const Mapped only_read(PROT_READ, MAP_SHARED, file.get());
  const auto after = shared_mappings();
  CHECK(after.size() == before.size() + 2);
  CHECK(count(after, anonymous) == count(before, anonymous) + 1);
  CHECK(count(after, named) == 1);
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

TEST_CASE("more shared mappings than the bound are not looked at", "[shared_mappings]") {
  std::vector<std::unique_ptr<Mapped>> many;
  for (size_t i = 0; i < kSharedMappingsMax + 1; ++i) {
    many.push_back(std::make_unique<Mapped>(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS));
  }
  CHECK(shared_mappings().size() == kSharedMappingsMax);
}
