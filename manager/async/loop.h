// The event loop: one io_context, one thread, no strands and no locks. Everything in the manager runs on it.
// The rooms see these four types and not Asio, which is heavy to compile and easy to misuse.
//
// Callbacks are called from the loop, never from inside the call that set them up, and never after close(), cancel() or
// the destructor. A callback may close or destroy the very object that called it.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "manager/async/spin_policy.h"

namespace boost::asio {
class io_context;
}

namespace capsule {

class Loop {
 public:
  explicit Loop(Duration spin = Duration::zero());  // the window of SpinPolicy
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();  // until stop()
  void stop();
  void post(std::function<void()> task);  // runs soon, after what is running now; from any thread
  // The same, before the loop looks for anything new: a system call less on the way of each run. Loop's thread only.
  // Past 64 in one turn, or outside of one, it is post().
  void soon(std::function<void()> task);
  boost::asio::io_context& context();

 private:
  friend class LoopTurn;

  std::unique_ptr<boost::asio::io_context> context_;
  bool in_turn_ = false;
  std::vector<std::function<void()>> soon_;  // filled and emptied within one turn
  SpinPolicy spin_;
};

// Owns a descriptor (made non-blocking) and watches it.
class FdWatch {
 public:
  FdWatch(Loop& loop, UniqueFd fd);
  ~FdWatch();
  FdWatch(FdWatch&&) = default;
  FdWatch& operator=(FdWatch&&) = delete;

  // Called each time there is something to read (or the end), until pause_reading(). Never for nothing at first: who
  // watches a pidfd may take the call for the end of the process.
  void on_readable(std::function<void()> callback);
  void pause_reading();
  void resume_reading();
  // Called once, when it can be written to.
  void when_writable(std::function<void()> callback);

  int fd() const;      // -1 once closed
  UniqueFd release();  // no longer watched; the caller owns it again
  void close();
  bool is_open() const { return fd() >= 0; }

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// A timer that is due before the processor's next tick makes the kernel program the clock, now and when it is moved: in
// a virtual machine 10 to 25 us each time, a tenth of a short run. What may wait that long anyway waits for a tick.
inline constexpr milliseconds kTick{4};  // of 250 a second

// One alarm at a time; setting it again replaces the one before.
class Timer {
 public:
  explicit Timer(Loop& loop);
  ~Timer();
  Timer(Timer&&) = default;
  Timer& operator=(Timer&&) = delete;

  void at(TimePoint when, std::function<void()> callback);  // TimePoint::max(): never
  void after(Duration delay, std::function<void()> callback) { at(now() + delay, std::move(callback)); }
  void cancel();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Calls back with the signal number. One per process.
class SignalWatch {
 public:
  SignalWatch(Loop& loop, const std::vector<int>& signals, std::function<void(int)> callback);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace capsule
