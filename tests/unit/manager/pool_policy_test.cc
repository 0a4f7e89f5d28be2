#include "manager/pool/pool_policy.h"

#include <catch2/catch.hpp>
#include <random>

#include "manager/pool/breaker.h"
#include "tests/unit/manager/moment.h"

using namespace capsule;

namespace {

PoolConfig standard() {  // warm 2, capsules 2, min 0, max 64
  PoolConfig config = default_config().defaults.pool;
  config.zygote_jitter_ratio = 0;
  return config;
}

IdleWorker worker(WorkerId id, Duration ready_at = 0s) { return {id, at(ready_at), at(ready_at), 0}; }

// A full stock in a calm moment: the zygote is there, the last acquisition is a minute ago.
PoolView calm(size_t ready, size_t capsules) {
  PoolView view;
  for (size_t i = 1; i <= ready; ++i) view.ready.push_back(worker(i));
  view.ready_capsules = capsules;
  view.zygote_ready = true;
  view.starts_allowed = Breaker::kUnlimited;
  view.last_acquire = at(-60s);
  return view;
}

std::vector<WorkerId> retired(const PoolDecision& decision) {
  std::vector<WorkerId> ids;
  for (const Retirement& one : decision.retire) ids.push_back(one.id);
  return ids;
}

using Ids = std::vector<WorkerId>;

}  // namespace

TEST_CASE("a full stock is left alone", "[pool]") {
  const PoolDecision decision = decide(calm(2, 2), standard(), at(1s));
  CHECK(decision.workers_to_start == 0);
  CHECK(decision.capsules_to_start == 0);
  CHECK(decision.retire.empty());
  CHECK(decision.capsules_to_retire == 0);
  CHECK_FALSE(decision.check);
}

TEST_CASE("what to start follows from what is there", "[pool]") {
  struct Row {
    const char* what;
    size_t ready, starting, capsules, starting_capsules, waiting;
    size_t workers, new_capsules;
  };
  const auto row = GENERATE(values<Row>({
      {"an empty pool begins with capsules", 0, 0, 0, 0, 0, 0, 2},
      {"the first capsules get workers", 0, 0, 2, 0, 0, 2, 0},
      {"one capsule gets a worker, another is made", 0, 0, 1, 0, 0, 1, 1},
      {"a start under way leaves room for one more", 0, 1, 2, 0, 0, 1, 0},
      {"two starts under way leave room for none", 0, 1, 1, 1, 3, 0, 0},
      {"workers come before capsules", 1, 0, 2, 0, 0, 1, 1},
      {"the stock of capsules is filled last", 2, 0, 0, 0, 0, 0, 2},
      {"a starting capsule counts", 2, 0, 1, 1, 0, 0, 0},
      {"a starting worker counts", 1, 1, 2, 0, 0, 0, 0},
      {"who waits is served from ready capsules", 0, 0, 2, 0, 1, 2, 0},
      {"who waits without a capsule gets one made", 0, 0, 0, 0, 1, 0, 2},
  }));
  INFO(row.what);
  PoolView view = calm(row.ready, row.capsules);
  view.starting_workers = row.starting;
  view.starting_capsules = row.starting_capsules;
  view.waiting = row.waiting;
  const PoolDecision decision = decide(view, standard(), at(1s));
  CHECK(decision.workers_to_start == row.workers);
  CHECK(decision.capsules_to_start == row.new_capsules);
}

TEST_CASE("workers of all kinds together never pass the maximum", "[pool]") {
  PoolConfig config = standard();
  config.max = 10;
  PoolView view = calm(0, 2);
  view.leased = 5;
  view.session_workers = 4;
  view.waiting = 7;
  CHECK(decide(view, config, at(1s)).workers_to_start == 1);
  view.starting_workers = 1;
  CHECK(decide(view, config, at(1s)).workers_to_start == 0);
  view.starting_workers = 0;
  view.checking = 1;
  CHECK(decide(view, config, at(1s)).workers_to_start == 0);
}

TEST_CASE("at the maximum the capsules are still kept in stock", "[pool]") {
  PoolConfig config = standard();
  config.max = 1;
  PoolView view = calm(0, 0);
  view.leased = 1;
  CHECK(decide(view, config, at(1s)).capsules_to_start == 2);
}

TEST_CASE("a stock target above the maximum is not an error", "[pool]") {
  PoolConfig config = standard();
  config.max = 1;
  PoolView view = calm(1, 2);
  const PoolDecision decision = decide(view, config, at(1s));
  CHECK(decision.workers_to_start == 0);
  CHECK(decision.retire.empty());
}

TEST_CASE("without a zygote no capsule is made, but those there are used", "[pool]") {
  PoolView view = calm(0, 1);
  view.zygote_ready = false;
  const PoolDecision decision = decide(view, standard(), at(1s));
  CHECK(decision.workers_to_start == 1);
  CHECK(decision.capsules_to_start == 0);
}

TEST_CASE("the breaker bounds what is started", "[pool]") {
  PoolView view = calm(0, 2);
  view.waiting = 5;
  view.starts_allowed = 0;
  CHECK(decide(view, standard(), at(1s)).workers_to_start == 0);
  CHECK(decide(view, standard(), at(1s)).capsules_to_start == 0);
  view.starts_allowed = 1;
  CHECK(decide(view, standard(), at(1s)).workers_to_start == 1);
  CHECK(decide(view, standard(), at(1s)).capsules_to_start == 0);
}

TEST_CASE("refilling keeps off a burst while half the stock is there", "[pool]") {
  PoolView view = calm(1, 2);
  view.last_acquire = at(0s);
  SECTION("so it waits a little") {
    const PoolDecision decision = decide(view, standard(), at(1ms));
    CHECK(decision.workers_to_start == 0);
    CHECK(decision.capsules_to_start == 0);
    CHECK(decision.again_at == at(0s) + kRefillDelay);
  }
  SECTION("and then refills") { CHECK(decide(view, standard(), at(0s) + kRefillDelay).workers_to_start == 1); }
  SECTION("but not when less than half is left") {
    view.ready.clear();
    CHECK(decide(view, standard(), at(1ms)).workers_to_start == 2);
  }
  SECTION("nor when somebody waits") {
    view.waiting = 2;
    CHECK(decide(view, standard(), at(1ms)).workers_to_start == 2);
  }
}

TEST_CASE("an idle pool shrinks its stocks to the minimum and fills them again at the next acquisition", "[pool]") {
  PoolConfig config = standard();
  config.min = 1;
  PoolView view = calm(2, 2);
  view.last_acquire = at(0s);
  CHECK(decide(view, config, at(1s)).again_at <= at(600s));
  CHECK(decide(view, config, at(599s)).retire.empty());
  view.ready[0].ready_at = view.ready[1].ready_at = at(500s);
  const PoolDecision idle = decide(view, config, at(600s));
  CHECK(retired(idle) == Ids{1});
  CHECK(idle.retire[0].reason == RetireReason::kIdle);
  CHECK(idle.capsules_to_retire == 1);

  PoolView shrunk = calm(1, 1);
  shrunk.last_acquire = at(0s);
  shrunk.ready[0].ready_at = at(600s);
  CHECK(decide(shrunk, config, at(700s)).workers_to_start == 0);
  CHECK(decide(shrunk, config, at(700s)).capsules_to_start == 0);
  shrunk.last_acquire = at(700s);
  CHECK(decide(shrunk, config, at(701s)).workers_to_start == 1);
}

TEST_CASE("an idle timeout of 0 never shrinks", "[pool]") {
  PoolConfig config = standard();
  config.idle_timeout = 0s;
  config.max_idle_age = 0s;
  config.health_interval = 0s;
  const PoolDecision decision = decide(calm(2, 2), config, at(100000h));
  CHECK(decision.retire.empty());
  CHECK(decision.again_at == TimePoint::max());
}

TEST_CASE("the minimum is never more than the stock's own target", "[pool]") {
  PoolConfig config = standard();
  config.min = 10;
  const StockTargets targets = stock_targets(calm(2, 2), config, at(100h));
  CHECK(targets.workers == 2);
  CHECK(targets.capsules == 2);
}

TEST_CASE("nothing is retired or checked while somebody waits", "[pool]") {
  PoolConfig config = standard();
  config.warm = 0;
  PoolView view = calm(2, 5);
  view.waiting = 3;
  const PoolDecision decision = decide(view, config, at(100h));
  CHECK(decision.retire.empty());
  CHECK(decision.capsules_to_retire == 0);
  CHECK_FALSE(decision.check);
}

TEST_CASE("a stock above its target gives up its oldest", "[pool]") {
  PoolView view = calm(0, 5);
  view.ready = {worker(1, 3s), worker(2, 1s), worker(3, 2s), worker(4, 1s)};
  const PoolDecision decision = decide(view, standard(), at(4s));
  CHECK(retired(decision) == Ids{2, 4});
  CHECK(decision.retire[0].reason == RetireReason::kExcess);
  CHECK(decision.capsules_to_retire == 3);
}

TEST_CASE("a smaller maximum retires unused workers, not those in use", "[pool]") {
  PoolConfig config = standard();
  config.max = 3;
  PoolView view = calm(2, 0);
  view.leased = 2;
  CHECK(retired(decide(view, config, at(1s))).size() == 1);
  view.leased = 50;
  CHECK(retired(decide(view, config, at(1s))).size() == 2);
}

TEST_CASE("unused workers are recycled by age, one at a time", "[pool]") {
  PoolView view = calm(0, 2);
  view.ready = {worker(1, 5s), worker(2, 0s)};
  view.last_acquire = at(600s);
  PoolConfig config = standard();
  config.health_interval = 0s;
  SECTION("not before their time, which is when to look again") {
    const PoolDecision decision = decide(view, config, at(599900ms));
    CHECK(decision.retire.empty());
    CHECK(decision.again_at == at(600s));
  }
  SECTION("the oldest first") {
    const PoolDecision decision = decide(view, config, at(700s));
    CHECK(retired(decision) == Ids{2});
    CHECK(decision.retire[0].reason == RetireReason::kAge);
  }
  SECTION("not while another is on its way") {
    view.starting_workers = 1;
    view.ready.pop_back();
    view.ready[0] = worker(1, 0s);
    CHECK(decide(view, config, at(700s)).retire.empty());
  }
  SECTION("not when none can follow") {
    view.zygote_ready = false;
    CHECK(decide(view, config, at(700s)).retire.empty());
    view.zygote_ready = true;
    view.starts_allowed = 0;
    CHECK(decide(view, config, at(700s)).retire.empty());
  }
  SECTION("earlier by the jitter each has drawn") {
    config.zygote_jitter_ratio = 0.1;
    view.ready[0].jitter = 0.5;  // 570 s after 5 s
    const PoolDecision decision = decide(view, config, at(576s));
    CHECK(retired(decision) == Ids{1});
  }
  SECTION("never with an age of 0") {
    config.max_idle_age = 0s;
    CHECK(decide(view, config, at(1000s)).retire.empty());
  }
}

TEST_CASE("the worker that went longest without a health check is checked, one at a time", "[pool]") {
  PoolView view = calm(2, 2);
  view.ready[0].checked_at = at(10s);
  view.ready[1].checked_at = at(5s);
  SECTION("when its interval is over") {
    CHECK_FALSE(decide(view, standard(), at(34s)).check);
    CHECK(decide(view, standard(), at(34s)).again_at == at(35s));
    CHECK(decide(view, standard(), at(35s)).check == WorkerId{2});
  }
  SECTION("not while one is being checked") {
    view.checking = 1;
    view.ready.pop_back();
    CHECK_FALSE(decide(view, standard(), at(1000s)).check);
  }
  SECTION("not one that is retired in the same decision") {
    view.last_acquire = at(900s);
    const PoolDecision decision = decide(view, standard(), at(1000s));
    REQUIRE(retired(decision) == Ids{1});
    CHECK(decision.check == WorkerId{2});
  }
  SECTION("never with an interval of 0") {
    PoolConfig config = standard();
    config.health_interval = 0s;
    CHECK_FALSE(decide(view, config, at(500s)).check);
  }
}

TEST_CASE("whoever asks whether Python runs gets a worker checked, or one made where there is none", "[pool]") {
  PoolConfig config = standard();
  config.health_interval = 0s;
  PoolView view = calm(2, 2);
  view.wants_proof = true;
  SECTION("of the stock, and nothing else changes") {
    const PoolDecision decision = decide(view, config, at(1s));
    CHECK(decision.check == WorkerId{1});
    CHECK(decision.workers_to_start + decision.capsules_to_start + decision.retire.size() == 0);
  }
  SECTION("a new one where the stock is kept empty, and only one") {
    config.warm = config.capsules = 0;
    view = calm(0, 0);
    CHECK(decide(view, config, at(1s)).capsules_to_start == 0);
    view.wants_proof = true;
    CHECK(decide(view, config, at(1s)).capsules_to_start == 1);
    view.ready_capsules = 1;
    CHECK(decide(view, config, at(1s)).workers_to_start == 1);
    view.ready_capsules = 0;
    view.starting_workers = 1;
    CHECK(decide(view, config, at(1s)).capsules_to_start == 0);
  }
  SECTION("which goes again when it has run") {
    config.warm = config.capsules = 0;
    view = calm(1, 0);
    CHECK(retired(decide(view, config, at(1s))) == Ids{1});
  }
  SECTION("not beyond the maximum") {
    config.warm = config.capsules = 0;
    config.max = 2;
    view = calm(0, 0);
    view.wants_proof = true;
    view.session_workers = 2;
    CHECK(decide(view, config, at(1s)).capsules_to_start == 0);
  }
}

TEST_CASE("an acquirer takes what is ready, or waits", "[pool]") {
  PoolView view = calm(1, 0);
  CHECK(acquire_decision(view, standard()) == Acquire::kTake);
  view.waiting = 1;
  CHECK(acquire_decision(view, standard()) == Acquire::kWait);
  view.ready.clear();
  view.leased = 64;
  CHECK(acquire_decision(view, standard()) == Acquire::kWait);
}

TEST_CASE("fail_fast refuses only when no worker can come without one being given back", "[pool]") {
  PoolConfig config = standard();
  config.exhaustion = Exhaustion::kFailFast;
  config.max = 4;
  PoolView view = calm(0, 0);
  view.leased = 3;
  CHECK(acquire_decision(view, config) == Acquire::kWait);
  view.waiting = 1;
  CHECK_FALSE(acquire_decision(view, config));
  view.waiting = 0;
  view.starting_workers = 1;
  CHECK(acquire_decision(view, config) == Acquire::kWait);
  view.starting_workers = 0;
  view.leased = 4;
  const auto refused = acquire_decision(view, config);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kUnavailable);
  CHECK_THAT(refused.error().message, Catch::Contains("pool.max = 4") && Catch::Contains("fail_fast"));
}

TEST_CASE("a session's worker is recycled by age and by memory, if asked for", "[pool]") {
  PoolConfig config = standard();
  CHECK_FALSE(session_recycle_due(at(0s), UINT64_MAX, config, at(100000h)));
  config.session_max_age = 60s;
  config.session_max_rss_bytes = 1000;
  CHECK_FALSE(session_recycle_due(at(0s), 1000, config, at(59s)));
  CHECK(session_recycle_due(at(0s), 1000, config, at(60s)) == SessionRecycle::kAge);
  CHECK(session_recycle_due(at(0s), 1001, config, at(0s)) == SessionRecycle::kMemory);
}

namespace {

// A pool that does what it is told, in whole steps of starting and ending, with random customers.
struct SimulatedPool {
  PoolConfig config;
  PoolView view = calm(0, 0);
  TimePoint now = at(0s);
  WorkerId next_id = 1;
  std::mt19937 random;

  void obey() {
    const PoolDecision decision = decide(view, config, now);
    REQUIRE(decision.workers_to_start <= view.ready_capsules);
    view.ready_capsules -= decision.workers_to_start;
    view.starting_workers += decision.workers_to_start;
    view.starting_capsules += decision.capsules_to_start;
    REQUIRE(decision.capsules_to_retire <= view.ready_capsules);
    view.ready_capsules -= decision.capsules_to_retire;
    if (decision.check) view.wants_proof = false;
    for (const Retirement& one : decision.retire) {
      const auto found = std::find_if(view.ready.begin(), view.ready.end(), [&](auto& w) { return w.id == one.id; });
      REQUIRE(found != view.ready.end());
      view.ready.erase(found);
    }
    REQUIRE(view.starting_workers + view.starting_capsules <= kStartsAtOnce);
    REQUIRE(view.ready.size() + view.starting_workers + view.leased <= config.max);
  }

  void finish_starts() {
    view.ready_capsules += std::exchange(view.starting_capsules, 0);
    if (view.starting_workers > 0) view.wants_proof = false;
    for (; view.starting_workers > 0; --view.starting_workers) {
      if (view.waiting > 0) {
        --view.waiting;
        ++view.leased;
      } else {
        view.ready.push_back({next_id++, now, now, 0.5});
      }
    }
  }

  void acquire() {
    view.last_acquire = now;
    const auto answer = acquire_decision(view, config);
    REQUIRE(answer);
    if (*answer == Acquire::kWait) {
      ++view.waiting;
      return;
    }
    view.ready.pop_back();
    ++view.leased;
  }

  void step() {
    now += milliseconds(random() % 50);
    if (random() % 16 == 0) view.wants_proof = true;
    switch (random() % 4) {
      case 0:
        if (view.waiting < 20) acquire();
        break;
      case 1:
        if (view.leased > 0) --view.leased;  // a one-shot run is over, and its worker with it
        break;
      default: finish_starts();
    }
    obey();
  }
};

}  // namespace

TEST_CASE("a pool that obeys never passes its bounds, serves all who wait and comes to rest", "[pool][random]") {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    INFO("seed " << seed);
    SimulatedPool pool;
    pool.random.seed(seed);
    pool.config = standard();
    pool.config.max = 1 + seed % 8;
    for (int i = 0; i < 1000; ++i) pool.step();

    for (int i = 0; i < 200; ++i) {  // no new customers: all that are left get their worker and give it back
      pool.now += 10ms;
      pool.finish_starts();
      pool.obey();
      if (pool.view.leased > 0) --pool.view.leased;
      pool.obey();
    }
    CHECK(pool.view.waiting == 0);
    CHECK(pool.view.leased == 0);
    CHECK(pool.view.ready.size() == std::min<size_t>(pool.config.warm, pool.config.max));
    CHECK(pool.view.ready_capsules == pool.config.capsules);
    const PoolDecision decision = decide(pool.view, pool.config, pool.now);
    CHECK(decision.workers_to_start + decision.capsules_to_start + decision.retire.size() == 0);
  }
}
