// The manager's end of one of a run's pipes, stdout or stderr. A run owns its pipes: they are made when it is leased
// and closed when it is over, so what is in them is there even when the worker dies in the next microsecond, and no run
// can write into another's.
//
// A pipe that keeps delivering is taken out of epoll and read by timer: registered, it would wake this process at every
// single write, and the writing program pays for each of these wake-ups (a print flood went at half the speed). The
// pause between two reads adapts to the writer, from kPauseMin to kPauseMax. A silent pipe is waited for in epoll, but
// not in the first kFirstLook: most runs are over by then, and their end empties the pipe anyway. It is made larger
// when it is first found well filled (an unprivileged user's budget is 64 large ones; then pipes stay small).
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "manager/async/loop.h"
#include "manager/output/output_budget.h"

namespace capsule {

class PipeReader {
 public:
  using Sink = std::function<void(Stream, std::string_view chunk)>;  // chunk: 1..limits::kOutputChunkBytes

  static constexpr microseconds kPauseMin{60};
  static constexpr microseconds kPauseMax{1000};
  static constexpr milliseconds kFirstLook = kTick;
  static constexpr milliseconds kLateLook{20};

  PipeReader(Loop& loop, UniqueFd read_end, Stream stream, Sink sink);

  void start();
  void set_sink(Sink sink) { sink_ = std::move(sink); }  // for what comes after the run
  void pause();  // the reader downstream is slow: the program's write will block
  void resume();
  // The run is over: what a thread or a process left behind still writes can wait for kLateLook. In epoll the pipe
  // would wake us in the middle of the next run, when the worker lets go of its end.
  void linger();

  // Reads what is in the pipe now, and no more than the pipe can hold, so that a writer that goes on cannot keep us.
  // Bytes read.
  size_t drain();
  bool is_at_end() const { return at_end_; }
  void close();

 private:
  void watch();      // wait for bytes
  void poll_soon();  // look again after pause_
  void poll();
  void enlarge();
  int fd() const { return watch_ ? watch_->fd() : fd_.get(); }
  size_t read_once();  // 0: nothing there, or the end

  Loop& loop_;
  UniqueFd fd_;                     // while nobody waits for it
  std::unique_ptr<FdWatch> watch_;  // while waiting for bytes
  Timer timer_;
  Stream stream_;
  Sink sink_;
  size_t capacity_bytes_;
  bool enlarged_ = false;
  Duration pause_ = kPauseMax;
  bool paused_ = false;
  bool at_end_ = false;
};

}  // namespace capsule
