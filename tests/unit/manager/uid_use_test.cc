#include "manager/schedule/uid_use.h"

#include <catch2/catch.hpp>

#include "tests/unit/manager/moment.h"

using namespace capsule;

namespace {

constexpr uid_t kAnn = 1000, kBob = 1001;

ClientConfig small() {
  ClientConfig config = default_config().client;
  config.max_queued_per_uid = 2;
  config.max_workers_per_uid = 2;
  config.max_crashes_per_minute_per_uid = 3;
  return config;
}

}  // namespace

TEST_CASE("a user may queue so many runs, and another as many", "[uid]") {
  UidUse use(small());
  for (int i = 0; i < 2; ++i) {
    CHECK_FALSE(use.passed_by_run(kAnn, 0, at(0s)));
    use.queued(kAnn, 10);
  }
  CHECK(use.passed_by_run(kAnn, 0, at(0s)) == UidUse::Cap::kQueued);
  CHECK_FALSE(use.passed_by_run(kBob, 0, at(0s)));
  use.unqueued(kAnn, 10);
  CHECK_FALSE(use.passed_by_run(kAnn, 0, at(0s)));
}

TEST_CASE("the code of a user's queued runs is bounded, also that of the first", "[uid]") {
  ClientConfig config = small();
  config.max_uid_code_bytes = 100;
  UidUse use(config);
  CHECK(use.passed_by_run(kAnn, 101, at(0s)) == UidUse::Cap::kQueuedBytes);
  CHECK_FALSE(use.passed_by_run(kAnn, 100, at(0s)));
  use.queued(kAnn, 60);
  CHECK(use.passed_by_run(kAnn, 41, at(0s)) == UidUse::Cap::kQueuedBytes);
  CHECK_FALSE(use.passed_by_run(kBob, 100, at(0s)));
  CHECK(use.queued_bytes() == 60);
  use.unqueued(kAnn, 60);
  CHECK_FALSE(use.passed_by_run(kAnn, 100, at(0s)));
  CHECK(use.queued_bytes() == 0);
}

TEST_CASE("sessions and running programs of a user share its workers", "[uid]") {
  UidUse use(small());
  CHECK(use.may_hold_workers(kAnn, 1, 1));
  CHECK(use.may_hold_workers(kAnn, 0, 2));
  CHECK_FALSE(use.may_hold_workers(kAnn, 1, 2));
  CHECK_FALSE(use.may_hold_workers(kAnn, 0, UINT64_MAX));
  use.took_worker(kAnn);
  CHECK_FALSE(use.may_hold_workers(kAnn, 1, 1));
  CHECK_FALSE(use.passed_by_run(kAnn, 0, at(0s)));  // it may queue
  CHECK(use.may_hold_workers(kAnn, 0, 1));
  CHECK(use.may_hold_workers(kBob, 1, 1));
  use.gave_worker_back(kAnn);
  CHECK(use.may_hold_workers(kAnn, 1, 1));
}

TEST_CASE("too many crashes within a minute shed a user's runs, and nobody else's", "[uid]") {
  UidUse use(small());
  for (int i = 0; i < 3; ++i) use.crashed(kAnn, at(i * 10s));
  CHECK(use.passed_by_run(kAnn, 0, at(30s)) == UidUse::Cap::kCrashes);
  CHECK_FALSE(use.passed_by_run(kBob, 0, at(30s)));
  CHECK(use.passed_by_run(kAnn, 0, at(59s)) == UidUse::Cap::kCrashes);
  CHECK_FALSE(use.passed_by_run(kAnn, 0, at(60s)));  // the first is a minute old
}

TEST_CASE("a limit of 0 is none", "[uid]") {
  ClientConfig config = small();
  config.max_uid_code_bytes = config.max_queued_per_uid = config.max_workers_per_uid =
      config.max_crashes_per_minute_per_uid = 0;
  UidUse use(config);
  for (int i = 0; i < 100; ++i) {
    use.queued(kAnn, 10);
    use.took_worker(kAnn);
    use.crashed(kAnn, at(0s));
  }
  CHECK_FALSE(use.passed_by_run(kAnn, 0, at(0s)));
  CHECK(use.may_hold_workers(kAnn, 100, 1));
}

TEST_CASE("each cap names its knob", "[uid]") {
  CHECK(UidUse::describe(UidUse::Cap::kQueued).find("client.max_queued_per_uid") != std::string::npos);
  CHECK(UidUse::describe(UidUse::Cap::kQueuedBytes).find("client.max_uid_code_bytes") != std::string::npos);
  CHECK(UidUse::describe(UidUse::Cap::kWorkers).find("client.max_workers_per_uid") != std::string::npos);
  CHECK(UidUse::describe(UidUse::Cap::kCrashes).find("client.max_crashes_per_minute_per_uid") != std::string::npos);
}
