// Which rights are asked for, by the version of Landlock: a kernel refuses rights that it does not know.
#include "worker/sandbox/landlock.h"

#include <linux/landlock.h>

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>

namespace capsule::sandbox::landlock {
namespace {

constexpr Rights kTruncate = 1ULL << 14;

const Rule* find(const std::vector<Rule>& rules, std::string_view path) {
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.path == path; });
  return found == rules.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("each version of Landlock is asked for the rights it has, and no more") {
  CHECK(handled_rights(0) == 0);
  CHECK(std::popcount(handled_rights(1)) == 13);
  CHECK(std::popcount(handled_rights(2)) == 14);  // Debian 12
  CHECK(std::popcount(handled_rights(3)) == 15);
  CHECK(handled_rights(4) == handled_rights(3));  // version 4 is about TCP
  CHECK(std::popcount(handled_rights(5)) == 16);
  CHECK(handled_rights(7) == handled_rights(5));
}

TEST_CASE("no version lets a worker make device files or write to what it may only read") {
  for (int abi = 1; abi <= 7; ++abi) {
    INFO(abi);
    CHECK((writing_rights(abi) & (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)) == 0);
    CHECK((reading_rights(abi) & (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | kTruncate)) == 0);
    CHECK((writing_rights(abi) | reading_rights(abi)) == writing_rights(abi));
  }
}

TEST_CASE("in a private root only the scratch places may be written to") {
  for (const Rule& rule : rules_for_private_root({}, 7)) {
    INFO(rule.path);
    const bool is_scratch = rule.path == "/var" || rule.path == "/dev";
    CHECK(((rule.rights & LANDLOCK_ACCESS_FS_MAKE_REG) != 0) == is_scratch);
  }
}

// Rules of a directory hold for everything below it, and it has none of its own: a capsule inside has another /proc.
TEST_CASE("nothing below /proc can be written to or executed") {
  const auto rules = rules_for_private_root({}, 7);
  CHECK(find(rules, "/proc") == nullptr);
  const Rule* root = find(rules, "/");
  REQUIRE(root != nullptr);
  CHECK((root->rights & (writing_rights(7) & ~reading_rights(7))) == 0);
  CHECK((root->rights & LANDLOCK_ACCESS_FS_EXECUTE) == 0);
}

TEST_CASE("the mounts of a profile are readable under the name they have inside, or outside where there is no root") {
  Policy policy;
  policy.mounts = {{"/srv/data", "/data"}};
  CHECK(find(rules_for_private_root(policy, 2), "/data") != nullptr);
  CHECK(find(rules_for_private_root(policy, 2), "/srv/data") == nullptr);
  CHECK(find(rules_for_host_root(policy, "", 2), "/srv/data") != nullptr);
}

TEST_CASE("on a host's root only the workspace may be written to") {
  for (const Rule& rule : rules_for_host_root({}, "/var/lib/capsule/scratch/1", 2)) {
    INFO(rule.path);
    CHECK(((rule.rights & LANDLOCK_ACCESS_FS_MAKE_REG) != 0) == (rule.path == "/var/lib/capsule/scratch/1"));
  }
}

}  // namespace capsule::sandbox::landlock
