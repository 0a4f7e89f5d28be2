#include "manager/pool/zygote_policy.h"

#include <catch2/catch.hpp>

#include "tests/unit/manager/moment.h"

using namespace capsule;

namespace {

PoolConfig standard() { return default_config().defaults.pool; }

}  // namespace

TEST_CASE("a zygote is due after its forks or its age, whichever comes first", "[zygote]") {
  const ZygoteLifetime lifetime(standard(), at(0s), 0);
  CHECK_FALSE(lifetime.due(0, at(0s)));
  CHECK_FALSE(lifetime.due(9999, at(3599s)));
  CHECK(lifetime.due(10000, at(1s)) == ZygoteReplacement::kForks);
  CHECK(lifetime.due(1, at(3600s)) == ZygoteReplacement::kAge);
  CHECK(lifetime.due(10000, at(3600s)) == ZygoteReplacement::kForks);
  CHECK(lifetime.age_limit_at() == at(3600s));
}

TEST_CASE("jitter only shortens a zygote's life, by its ratio at most", "[zygote]") {
  const ZygoteLifetime lifetime(standard(), at(0s), 0.5);
  CHECK(lifetime.forks_limit() == 9500);
  CHECK(lifetime.age_limit_at() == at(3420s));
  const ZygoteLifetime shortest(standard(), at(0s), 0.999999);
  CHECK(shortest.forks_limit() >= 9000);
  CHECK(shortest.age_limit_at() >= at(3240s));
}

TEST_CASE("a zygote without limits is never due", "[zygote]") {
  PoolConfig config = standard();
  config.zygote_max_forks = 0;
  config.zygote_max_age = 0s;
  const ZygoteLifetime lifetime(config, at(0s), 0.7);
  CHECK_FALSE(lifetime.due(1u << 30, at(1000000h)));
  CHECK(lifetime.age_limit_at() == TimePoint::max());
}

TEST_CASE("a zygote may fork once whatever the jitter", "[zygote]") {
  PoolConfig config = standard();
  config.zygote_max_forks = 1;
  config.zygote_jitter_ratio = 0.9;
  const ZygoteLifetime lifetime(config, at(0s), 0.99);
  CHECK_FALSE(lifetime.due(0, at(0s)));
  CHECK(lifetime.due(1, at(0s)) == ZygoteReplacement::kForks);
}
