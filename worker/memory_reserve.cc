#include "worker/memory_reserve.h"

#include <algorithm>
#include <atomic>
#include <new>

#include "worker/data_size.h"

namespace capsule::memory_reserve {
namespace {

constexpr uint64_t kToBeginBytes = 2u << 20;  // above what is in use, for a run after one that used all
constexpr uint64_t kOwnBytes = 8u << 20;      // of the reserve, which no program begins with

std::atomic<rlim_t> of_program{0};  // 0: not started
rlim_t of_run = 0;
std::atomic<rlim_t> in_force{0};  // 0: it is open
std::atomic<bool> was_needed{false};

void serve_failed_allocation() {
  if (in_force != 0) return open(Why::kNeed);
  std::set_new_handler(nullptr);  // this allocation fails, and so do those after it
}

}  // namespace

void start() {
  rlimit limit{};
  if (getrlimit(RLIMIT_DATA, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) return;
  of_program = limit.rlim_cur;
  in_force = limit.rlim_cur;
  std::set_new_handler(serve_failed_allocation);
  open(Why::kEnd);
}

void limit_run(rlim_t soft) { of_run = soft; }

void close() {
  rlimit limit{};
  if (of_program == 0 || in_force != 0 || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  rlim_t wanted = of_run == 0 ? of_program.load() : std::min(of_run, of_program.load());
  if (was_needed.exchange(false)) {
    const rlim_t most = std::max(wanted, limit.rlim_max - std::min<rlim_t>(limit.rlim_max, kOwnBytes));
    wanted = std::clamp<rlim_t>(data_bytes().value_or(0) + kToBeginBytes, wanted, most);
    std::set_new_handler(serve_failed_allocation);
  }
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (setrlimit(RLIMIT_DATA, &limit) == 0) in_force = limit.rlim_cur;
}

void open(Why why) {
  rlimit limit{};
  if (why == Why::kNeed) was_needed = true;
  const rlim_t closed = in_force.exchange(0);
  if (closed == 0 || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  if (limit.rlim_cur != closed) of_program = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_DATA, &limit);
}

}  // namespace capsule::memory_reserve
