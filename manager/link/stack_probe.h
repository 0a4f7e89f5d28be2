// Asks the worker of one run where its program is. The run goes on: the worker's link thread answers, whatever Python
// does.
//
// One question is on its way at a time; who asks meanwhile shares its answer. Each waits for as long as it says and
// then hears kTimedOut; more than kWaiting at once are refused. Owned by the run's driver, on the loop's thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "manager/async/loop.h"

namespace capsule {

class StackProbe {
 public:
  using Answer = std::function<void(const Result<std::string>& told)>;  // as the worker told it: hostile text
  static constexpr size_t kWaiting = 64;

  // `send` asks the worker.
  StackProbe(Loop& loop, std::function<void()> send) : send_(std::move(send)), timer_(loop) {}

  void ask(Duration patience, Answer answer);
  bool has_asked() const { return has_asked_; }  // ever
  void heard(const std::string& text);
  void give_up(const Error& why);  // nothing more will come

 private:
  struct Waiting {
    TimePoint until;
    Answer answer;
  };
  void arm();
  void expire();

  std::function<void()> send_;
  Timer timer_;
  std::vector<Waiting> waiting_;
  bool is_under_way_ = false, has_asked_ = false;
};

}  // namespace capsule
