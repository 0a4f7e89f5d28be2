#include "manager/async/loop.h"

#include <poll.h>
#include <sched.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

namespace capsule {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {
constexpr size_t kSoonPerTurn = 64;  // then the loop looks what else there is

bool is_ready_to_read(int fd) {
  pollfd asked{fd, POLLIN, 0};
  return poll(&asked, 1, 0) != 0;
}
}  // namespace

Loop::Loop(Duration spin) : context_(std::make_unique<asio::io_context>(1)), spin_(spin) {}
Loop::~Loop() = default;

void Loop::run() {
  const auto keep_running = asio::make_work_guard(*context_);
  while (!context_->stopped()) {
    if (context_->poll() > 0) {
      spin_.worked(now());
    } else if (spin_.looks_again(now())) {
      sched_yield();  // whoever wants this processor may be the one that is waited for
    } else if (context_->run_one() > 0) {
      spin_.worked(now());
    }
  }
}
void Loop::stop() { context_->stop(); }
asio::io_context& Loop::context() { return *context_; }

// One callback of the loop, and then what it wanted done soon.
class LoopTurn {
 public:
  template <class Callback>
  static void run(Loop& loop, const Callback& callback) {
    loop.in_turn_ = true;
    callback();
    for (size_t done = 0; done < loop.soon_.size(); ++done) std::exchange(loop.soon_[done], nullptr)();
    loop.soon_.clear();
    loop.in_turn_ = false;
  }
};

void Loop::post(std::function<void()> task) {
  asio::post(*context_, [this, task = std::move(task)] { LoopTurn::run(*this, task); });
}

void Loop::soon(std::function<void()> task) {
  if (!in_turn_ || soon_.size() >= kSoonPerTurn) return post(std::move(task));
  soon_.push_back(std::move(task));
}

// ---- FdWatch -------------------------------------------------------------------------------------------------

// Shared with the pending handlers, so that a callback may destroy the watch. Callbacks are held by shared_ptr for the
// same reason: one that is running must not be freed under itself.
struct FdWatch::State : std::enable_shared_from_this<State> {
  using Callback = std::shared_ptr<std::function<void()>>;

  State(Loop& of, int fd) : loop(of), descriptor(of.context(), fd) {}

  void arm() {
    if (reading || !wanted || !descriptor.is_open()) return;
    reading = true;
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                          [self = shared_from_this()](error_code error) { self->readable(error); });
  }

  void readable(error_code error) {
    reading = false;
    if (error || !descriptor.is_open() || !wanted) return;
    if (!believed && !(believed = is_ready_to_read(descriptor.native_handle()))) return arm();
    const Callback callback = on_readable;
    LoopTurn::run(loop, *callback);
    arm();
  }

  Loop& loop;
  asio::posix::stream_descriptor descriptor;
  Callback on_readable;
  bool wanted = false;   // somebody wants to be told
  bool reading = false;  // a wait is under way
  // Asio hands what it knows of a closed descriptor to the next one that is opened. When both happen while one batch
  // of epoll events is worked off, the new one gets the wake that was meant for the old. Only its first can be false.
  bool believed = false;
};

FdWatch::FdWatch(Loop& loop, UniqueFd fd) : state_(std::make_shared<State>(loop, fd.get())) {
  (void)fd.release();
  state_->descriptor.non_blocking(true);
}
FdWatch::~FdWatch() { close(); }

void FdWatch::on_readable(std::function<void()> callback) {
  state_->on_readable = std::make_shared<std::function<void()>>(std::move(callback));
  resume_reading();
}
void FdWatch::pause_reading() { state_->wanted = false; }
void FdWatch::resume_reading() {
  state_->wanted = state_->on_readable != nullptr;
  state_->arm();
}

void FdWatch::when_writable(std::function<void()> callback) {
  state_->descriptor.async_wait(asio::posix::stream_descriptor::wait_write,
                                [self = state_, callback = std::move(callback)](error_code error) {
                                  if (!error && self->descriptor.is_open()) LoopTurn::run(self->loop, callback);
                                });
}

int FdWatch::fd() const { return state_ && state_->descriptor.is_open() ? state_->descriptor.native_handle() : -1; }

UniqueFd FdWatch::release() {
  state_->wanted = false;
  state_->on_readable = nullptr;
  return UniqueFd(state_->descriptor.release());
}

void FdWatch::close() {
  if (!state_) return;
  state_->wanted = false;
  state_->on_readable = nullptr;  // it may hold the owner; one that is running is kept by readable()
  error_code ignored;
  state_->descriptor.close(ignored);
}

// ---- Timer ---------------------------------------------------------------------------------------------------

struct Timer::State {
  explicit State(Loop& of) : loop(of), timer(of.context()) {}
  Loop& loop;
  asio::steady_timer timer;
  uint64_t generation = 0;  // an expiry that was already queued when the alarm changed is recognised by it
};

Timer::Timer(Loop& loop) : state_(std::make_shared<State>(loop)) {}
Timer::~Timer() {
  if (state_) cancel();
}

void Timer::at(TimePoint when, std::function<void()> callback) {
  if (when == TimePoint::max()) return cancel();
  const uint64_t generation = ++state_->generation;
  state_->timer.expires_at(when);
  state_->timer.async_wait([state = state_, generation, callback = std::move(callback)](error_code error) {
    if (!error && state->generation == generation) LoopTurn::run(state->loop, callback);
  });
}

void Timer::cancel() {
  ++state_->generation;
  state_->timer.cancel();
}

// ---- SignalWatch ---------------------------------------------------------------------------------------------

struct SignalWatch::State : std::enable_shared_from_this<State> {
  explicit State(Loop& loop) : signals(loop.context()) {}

  void wait() {
    signals.async_wait([self = shared_from_this()](error_code error, int number) {
      if (error || self->closed) return;
      self->callback(number);
      self->wait();
    });
  }

  asio::signal_set signals;
  std::function<void(int)> callback;
  bool closed = false;
};

SignalWatch::SignalWatch(Loop& loop, const std::vector<int>& signals, std::function<void(int)> callback)
    : state_(std::make_shared<State>(loop)) {
  state_->callback = std::move(callback);
  for (const int number : signals) state_->signals.add(number);
  state_->wait();
}
SignalWatch::~SignalWatch() {
  state_->closed = true;
  error_code ignored;
  state_->signals.cancel(ignored);
}

}  // namespace capsule
