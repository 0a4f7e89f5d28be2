#include "manager/pool/breaker.h"

#include <catch2/catch.hpp>

#include "manager/pool/trigger.h"
#include "tests/unit/manager/moment.h"

using namespace capsule;

namespace {

BreakerConfig standard() { return default_config().defaults.breaker; }

// Five deaths at once: enough to open it.
void trip(Breaker& breaker, TimePoint now, double random = 0) {
  for (int i = 0; i < 5; ++i) breaker.death(now, random);
}

}  // namespace

TEST_CASE("a breaker stays closed below its number of deaths", "[breaker]") {
  Breaker breaker(standard());
  for (int i = 0; i < 4; ++i) breaker.death(at(seconds(i)), 0);
  CHECK(breaker.state(at(4s)) == Breaker::State::kClosed);
  CHECK(breaker.starts_allowed(at(4s)) == Breaker::kUnlimited);
  CHECK(breaker.deaths(at(4s)) == 4);
  CHECK(breaker.retry_at(at(4s)) == TimePoint::max());
}

TEST_CASE("the fifth death within ten seconds opens it", "[breaker]") {
  Breaker breaker(standard());
  for (const auto when : {0s, 2s, 4s, 6s, 10s}) breaker.death(at(when), 0);
  CHECK(breaker.state(at(10s)) == Breaker::State::kOpen);
  CHECK(breaker.starts_allowed(at(10s)) == 0);
  CHECK(breaker.openings() == 1);
}

TEST_CASE("deaths further apart than the window never open it", "[breaker]") {
  Breaker breaker(standard());
  for (int i = 0; i < 100; ++i) breaker.death(at(milliseconds(2501) * i), 0);
  CHECK(breaker.state(at(251s)) == Breaker::State::kClosed);
  CHECK(breaker.openings() == 0);
}

TEST_CASE("after its backoff one try is allowed, and one only", "[breaker]") {
  Breaker breaker(standard());
  trip(breaker, at(0s));
  CHECK(breaker.retry_at(at(0s)) == at(100ms));
  CHECK(breaker.starts_allowed(at(99ms)) == 0);
  CHECK(breaker.state(at(100ms)) == Breaker::State::kHalfOpen);
  CHECK(breaker.starts_allowed(at(100ms)) == 1);
  breaker.start_began(at(100ms));
  CHECK(breaker.starts_allowed(at(101ms)) == 0);
}

TEST_CASE("a try that succeeds closes it and forgets the deaths", "[breaker]") {
  Breaker breaker(standard());
  trip(breaker, at(0s));
  breaker.start_began(at(100ms));
  breaker.start_succeeded(at(150ms));
  CHECK(breaker.state(at(150ms)) == Breaker::State::kClosed);
  CHECK(breaker.deaths(at(150ms)) == 0);
  breaker.death(at(200ms), 0);
  CHECK(breaker.state(at(200ms)) == Breaker::State::kClosed);
}

TEST_CASE("a try that dies opens it again for twice as long, up to the maximum", "[breaker]") {
  Breaker breaker(standard());
  trip(breaker, at(0s));
  TimePoint now = at(0s);
  const std::vector<Duration> pauses{100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 12800ms, 15s, 15s};
  for (size_t i = 0; i < pauses.size(); ++i) {
    INFO(i);
    CHECK(breaker.retry_at(now) - now == pauses[i]);
    now = breaker.retry_at(now);
    breaker.start_began(now);
    breaker.death(now, 0);
  }
}

TEST_CASE("jitter adds up to as much again and stays within the maximum", "[breaker]") {
  const double random = GENERATE(0.0, 0.25, 0.5, 0.999);
  Breaker breaker(standard());
  trip(breaker, at(0s), random);
  TimePoint now = at(0s);
  Duration least = 100ms;
  for (int i = 0; i < 12; ++i) {
    const Duration pause = breaker.retry_at(now) - now;
    CHECK(pause >= least);
    CHECK(pause < 2 * least);
    CHECK(pause <= 30s);
    now += pause;
    breaker.start_began(now);
    breaker.death(now, random);
    least = std::min<Duration>(least * 2, 15s);
  }
}

TEST_CASE("a profile that fails again soon starts from where the backoff was", "[breaker]") {
  Breaker breaker(standard());
  trip(breaker, at(0s));
  breaker.start_began(at(100ms));
  breaker.start_succeeded(at(110ms));
  trip(breaker, at(1s));
  CHECK(breaker.retry_at(at(1s)) == at(1200ms));
}

TEST_CASE("a whole window without deaths resets the backoff", "[breaker]") {
  Breaker breaker(standard());
  trip(breaker, at(0s));
  breaker.start_began(at(100ms));
  breaker.start_succeeded(at(110ms));
  trip(breaker, at(11s));
  CHECK(breaker.retry_at(at(11s)) == at(11100ms));
}

TEST_CASE("while open, deaths and successes of earlier starts change nothing", "[breaker]") {
  Breaker breaker(standard());
  trip(breaker, at(0s));
  breaker.death(at(50ms), 0);
  breaker.start_succeeded(at(60ms));
  CHECK(breaker.state(at(60ms)) == Breaker::State::kOpen);
  CHECK(breaker.retry_at(at(60ms)) == at(100ms));
  CHECK(breaker.openings() == 1);
}

TEST_CASE("a try that we dropped ourselves makes room for another", "[breaker]") {
  Breaker breaker(standard());
  trip(breaker, at(0s));
  breaker.start_began(at(100ms));
  breaker.start_dropped();
  CHECK(breaker.starts_allowed(at(100ms)) == 1);
}

TEST_CASE("a flood of deaths takes bounded memory and counts at most the limit", "[breaker]") {
  Breaker breaker(standard());
  for (int i = 0; i < 10000; ++i) breaker.death(at(1ms), 0.5);
  CHECK(breaker.deaths(at(1ms)) == 5);
}

TEST_CASE("one death can be enough, and equal backoffs leave no jitter", "[breaker]") {
  BreakerConfig config = standard();
  config.deaths = 1;
  config.backoff_min = config.backoff_max = 2s;
  Breaker breaker(config);
  breaker.death(at(0s), 0.9);
  CHECK(breaker.retry_at(at(0s)) == at(2s));
}

TEST_CASE("a trigger counts edges, not how often it is set", "[trigger]") {
  Trigger trigger;
  CHECK(trigger.set());
  CHECK_FALSE(trigger.set());
  CHECK(trigger.is_set());
  CHECK(trigger.count() == 1);
  trigger.clear();
  trigger.clear();
  CHECK_FALSE(trigger.is_set());
  CHECK(trigger.set());
  CHECK(trigger.count() == 2);
}
