// The manager's end of one of a run's pipes, stdout or stderr. A run owns its pipes: they are made when it is leased and
// closed when it is over, so what is in them is there even when the worker dies in the next microsecond, and no run can
// write into another's.
//
// Reads are coalesced: after a short read it waits kCoalesce before the next one, so that a program that prints line by
// line costs a wake-up a millisecond and not one a line. The first byte is never delayed.
#pragma once

#include <functional>
#include <string_view>

#include "manager/async/loop.h"
#include "manager/output/output_budget.h"

namespace capsule {

class PipeReader {
 public:
  using Sink = std::function<void(Stream, std::string_view chunk)>;  // chunk: 1..limits::kOutputChunkBytes

  static constexpr milliseconds kCoalesce{1};

  PipeReader(Loop& loop, UniqueFd read_end, Stream stream, Sink sink);

  void start();
  void set_sink(Sink sink) { sink_ = std::move(sink); }  // for what comes after the run
  void pause();   // the reader downstream is slow: the program's write will block
  void resume();

  // Reads what is in the pipe now, and no more than the pipe can hold, so that a writer that goes on cannot keep us.
  // Bytes read.
  size_t drain();
  bool is_at_end() const { return at_end_; }
  void close();

 private:
  void readable();
  size_t read_once();  // 0: nothing there, or the end

  FdWatch watch_;
  Timer timer_;
  Stream stream_;
  Sink sink_;
  size_t capacity_bytes_;
  bool paused_ = false;
  bool at_end_ = false;
};

}  // namespace capsule
