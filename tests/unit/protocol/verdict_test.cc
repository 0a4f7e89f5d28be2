#include "protocol/verdict.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

#include "protocol/version.h"

namespace capsule {

TEST_CASE("the verdict words are the fourteen of the contract") {
  std::set<std::string_view> words;
  for (const Verdict verdict : kAllVerdicts) words.insert(to_string(verdict));
  CHECK(words == std::set<std::string_view>{"ok", "exception", "exit", "cancelled", "timeout", "cpu_limit",
                                            "out_of_memory", "output_limit", "crashed", "violation", "worker_lost",
                                            "rejected", "aborted", "internal_error"});
}

TEST_CASE("each verdict reads back from its word, and nothing else does") {
  for (const Verdict verdict : kAllVerdicts) CHECK(verdict_from_string(to_string(verdict)) == verdict);
  for (const char* word : {"", "OK", "ok ", "cancelled\n", "unknown"}) CHECK_FALSE(verdict_from_string(word));
}

TEST_CASE("exit statuses are those of the contract") {
  const std::map<Verdict, int> expected{{Verdict::kOk, 0},
                                        {Verdict::kException, 1},
                                        {Verdict::kExit, 7},
                                        {Verdict::kCancelled, 130},
                                        {Verdict::kTimeout, 124},
                                        {Verdict::kCpuLimit, 152},
                                        {Verdict::kOutOfMemory, 137},
                                        {Verdict::kOutputLimit, 153},
                                        {Verdict::kCrashed, 139},
                                        {Verdict::kViolation, 159},
                                        {Verdict::kWorkerLost, 137},
                                        {Verdict::kRejected, 125},
                                        {Verdict::kAborted, 125},
                                        {Verdict::kInternalError, 125}};
  for (const Verdict verdict : kAllVerdicts) {
    INFO(to_string(verdict));
    CHECK(exit_status_for(verdict, 7, 11) == expected.at(verdict));
  }
}

TEST_CASE("a program's own status passes through as a shell would see it") {
  CHECK(exit_status_for(Verdict::kExit, 0, 0) == 0);
  CHECK(exit_status_for(Verdict::kExit, 255, 0) == 255);
  CHECK(exit_status_for(Verdict::kExit, 256, 0) == 0);
  CHECK(exit_status_for(Verdict::kExit, -1, 0) == 255);
}

TEST_CASE("a retry makes sense only where the program had no part in the end") {
  std::set<Verdict> retried;
  for (const Verdict verdict : kAllVerdicts) {
    if (retry_makes_sense(verdict)) retried.insert(verdict);
  }
  CHECK(retried ==
        std::set<Verdict>{Verdict::kWorkerLost, Verdict::kRejected, Verdict::kAborted, Verdict::kInternalError});
}

TEST_CASE("only versions between the oldest and the own one are spoken") {
  CHECK(version_is_supported(kProtocolVersion));
  CHECK(version_is_supported(kOldestProtocolVersion));
  CHECK_FALSE(version_is_supported(kProtocolVersion + 1));
  CHECK_FALSE(version_is_supported(kOldestProtocolVersion - 1));
  CHECK_FALSE(version_is_supported(-1));
}

TEST_CASE("own features are sorted and unique, as the wire wants them") {
  const Features own = own_features();
  CHECK(std::is_sorted(own.begin(), own.end()));
  CHECK(std::adjacent_find(own.begin(), own.end()) == own.end());
}

TEST_CASE("common features are those both ends have, in whatever order they were sent") {
  CHECK(common_features({"a", "b", "c"}, {"c", "x", "a"}) == Features{"a", "c"});
  CHECK(common_features({"a"}, {}).empty());
  CHECK(common_features({"a", "b"}, {"b", "b", "b"}) == Features{"b"});
}

}  // namespace capsule
