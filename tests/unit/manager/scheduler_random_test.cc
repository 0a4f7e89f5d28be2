// The scheduler against a simple model, with random events. The seed is printed with any failure; set SCHEDULER_SEED
// to see that failure again.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <set>

#include "manager/schedule/scheduler.h"
#include "tests/unit/manager/moment.h"

using namespace capsule;

namespace {

constexpr size_t kCapacity = 60, kPerClient = 20, kMaxRunning = 12;
constexpr ClientKey kClients = 6;

// What must hold, told in the plainest way: lists of what is queued and active, and who was passed over how often.
struct Model {
  std::deque<QueuedRun> queued;  // in order of arrival
  std::map<RunId, QueuedRun> active;
  std::map<ClientKey, int> passed_over;  // in a row, since its last turn, each time with something that could go
  std::set<std::string> blocked;

  size_t queued_of(ClientKey client) const {
    return static_cast<size_t>(
        std::count_if(queued.begin(), queued.end(), [&](const auto& run) { return run.client == client; }));
  }
  bool session_is_free(const std::string& session) const {
    return blocked.count(session) == 0 && std::none_of(active.begin(), active.end(), [&](const auto& entry) {
             return entry.second.session == session;
           });
  }
  bool can_go(const QueuedRun& run, const std::set<std::string>& with_capacity) const {
    if (run.session.empty()) return with_capacity.count(run.profile) != 0;
    const auto first =
        std::find_if(queued.begin(), queued.end(), [&](const auto& other) { return other.session == run.session; });
    return first->id == run.id && session_is_free(run.session);
  }
};

class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed), scheduler_({kCapacity, kPerClient, kMaxRunning}) {}

  void step() {
    now_ += milliseconds(pick(20));
    switch (pick(10)) {
      case 0:
      case 1:
      case 2:
      case 3: return submit();
      case 4:
      case 5: return start();
      case 6: return finish();
      case 7: return put_back_or_cancel();
      case 8: return expire();
      default: return drop_or_block();
    }
  }

  void check_counts() const {
    REQUIRE(scheduler_.depth() == model_.queued.size());
    REQUIRE(scheduler_.running() == model_.active.size());
    REQUIRE(scheduler_.depth() <= kCapacity + kMaxRunning);  // those put back come on top
    REQUIRE(scheduler_.running() <= kMaxRunning);
    size_t sum = 0;
    for (const auto& [client, count] : scheduler_.by_client()) {
      REQUIRE(count == model_.queued_of(client));
      sum += count;
    }
    REQUIRE(sum == model_.queued.size());
    REQUIRE(scheduler_.oldest_wait(now_) ==
            (model_.queued.empty() ? Duration::zero() : now_ - model_.queued.front().queued_at));
  }

 private:
  size_t pick(size_t below) { return std::uniform_int_distribution<size_t>(0, below - 1)(random_); }
  std::string session() { return "s" + std::to_string(pick(4)); }

  void submit() {
    QueuedRun run;
    run.id = "r" + std::to_string(++made_);
    run.client = 1 + std::min(pick(kClients), pick(kClients));  // low ones are busier
    if (pick(2) == 0) run.session = session();
    run.profile = pick(2) == 0 ? "base" : "data";
    if (pick(2) == 0) run.deadline = now_ + milliseconds(100 + pick(400));
    run.queued_at = now_;
    const bool fits = model_.queued.size() < kCapacity && model_.queued_of(run.client) < kPerClient;
    const auto accepted = scheduler_.submit(run, now_);
    REQUIRE(accepted.has_value() == fits);
    if (!fits) return;
    REQUIRE(*accepted == model_.queued.size());
    model_.queued.push_back(run);
  }

  void start() {
    std::set<std::string> with_capacity;
    if (pick(3) != 0) with_capacity.insert("base");
    if (pick(3) != 0) with_capacity.insert("data");
    std::map<ClientKey, RunId> could_go;  // each client's oldest
    for (const QueuedRun& run : model_.queued) {
      if (model_.can_go(run, with_capacity)) could_go.try_emplace(run.client, run.id);
    }
    const auto next = scheduler_.next([&](const std::string& profile) { return with_capacity.count(profile) != 0; });
    if (model_.active.size() >= kMaxRunning || could_go.empty()) {
      REQUIRE_FALSE(next);
      return;
    }
    REQUIRE(next);
    REQUIRE(could_go.count(next->client) == 1);
    REQUIRE(could_go.at(next->client) == next->id);
    for (ClientKey client = 1; client <= kClients; ++client) {
      if (could_go.count(client) == 0) model_.passed_over.erase(client);
    }
    for (const auto& entry : could_go) {
      int& passed = model_.passed_over[entry.first];
      passed = entry.first == next->client ? 0 : passed + 1;
      REQUIRE(passed < static_cast<int>(kClients));  // nobody is passed over for a whole round
    }
    const auto found = find_queued(next->id);
    model_.active.emplace(next->id, *found);
    model_.queued.erase(found);
  }

  void finish() {
    if (model_.active.empty()) return;
    const auto entry = std::next(model_.active.begin(), static_cast<int>(pick(model_.active.size())));
    scheduler_.finished(entry->first);
    model_.active.erase(entry);
  }

  void put_back_or_cancel() {
    if (pick(2) == 0 && !model_.active.empty()) {
      const auto entry = std::next(model_.active.begin(), static_cast<int>(pick(model_.active.size())));
      const QueuedRun run = entry->second;
      scheduler_.put_back(run.id);
      model_.active.erase(entry);
      const auto place = std::find_if(model_.queued.begin(), model_.queued.end(), [&](const QueuedRun& other) {
        return std::stoul(other.id.substr(1)) > std::stoul(run.id.substr(1));
      });
      model_.queued.insert(place, run);
    } else if (!model_.queued.empty()) {
      const auto found = model_.queued.begin() + static_cast<int>(pick(model_.queued.size()));
      REQUIRE(scheduler_.cancel_queued(found->id));
      model_.queued.erase(found);
    }
  }

  void expire() {
    for (const QueuedRun& run : scheduler_.take_expired(now_)) {
      REQUIRE(run.deadline <= now_);
      model_.queued.erase(find_queued(run.id));
    }
    for (const QueuedRun& run : model_.queued) REQUIRE(run.deadline > now_);
  }

  void drop_or_block() {
    const std::string name = session();
    const ClientKey client = 1 + pick(kClients);
    switch (pick(8)) {
      case 0: return forget(scheduler_.drop_client(client), [&](const auto& run) { return run.client == client; });
      case 1:
        model_.blocked.erase(name);
        return forget(scheduler_.drop_session(name), [&](const auto& run) { return run.session == name; });
      case 2:
      case 3:
        scheduler_.block_session(name);
        model_.blocked.insert(name);
        return;
      default:
        scheduler_.unblock_session(name);
        model_.blocked.erase(name);
        return;
    }
  }

  template <class Match>
  void forget(const std::vector<QueuedRun>& dropped, Match match) {
    const auto expected = static_cast<size_t>(std::count_if(model_.queued.begin(), model_.queued.end(), match));
    REQUIRE(dropped.size() == expected);
    for (const QueuedRun& run : dropped) {
      REQUIRE(match(run));
      model_.queued.erase(find_queued(run.id));
    }
  }

  std::deque<QueuedRun>::iterator find_queued(const RunId& id) {
    const auto found =
        std::find_if(model_.queued.begin(), model_.queued.end(), [&](const auto& run) { return run.id == id; });
    REQUIRE(found != model_.queued.end());
    return found;
  }

  std::mt19937 random_;
  Scheduler scheduler_;
  Model model_;
  TimePoint now_ = at(0s);
  uint64_t made_ = 0;
};

}  // namespace

TEST_CASE("whatever happens, order, fairness and bounds hold", "[scheduler][random]") {
  const char* given = std::getenv("SCHEDULER_SEED");
  const unsigned first = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
  const unsigned seeds = given != nullptr ? 1 : 20;
  for (unsigned i = 0; i < seeds; ++i) {
    const unsigned seed = first + i;
    INFO("SCHEDULER_SEED=" << seed);
    Simulation simulation(seed);
    for (int step = 0; step < 2000; ++step) {
      simulation.step();
      simulation.check_counts();
    }
  }
}
