// A worker's end of the link, and its native thread. The thread sends the heartbeat and hears a cancel whatever Python
// does: it never takes the GIL, and it allocates nothing after start() (memory is reserved up front), so that neither a
// stuck interpreter nor a full heap silences it.
//
// One thread at a time reads the link. While the worker is idle that is the main thread itself, so that a short run
// costs no switch between threads. A request leaves the link without a reader and arms a timer: a run that lasts
// longer than kTakeOver finds the native thread reading. What comes in goes into a mailbox: at most one request (the
// manager sends the next only after the answer), the latest `ping`, and the acknowledged display. Frames are sent
// by whichever thread has one, under a mutex held for a single frame; a heartbeat that finds it held is skipped, for
// bytes are flowing.
//
// Around a fork the thread is ended and started again (pause, resume); a copy of the process goes on with a link of its
// own (restart).
//
// When the link is gone because the manager is, the process ends. When user code closed the descriptor, this thread
// ends and the manager sees the end of the link.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "protocol/limits.h"
#include "protocol/message.h"
#include "worker/heartbeat.h"

namespace capsule {

class LinkThread {
 public:
  static constexpr size_t kFdsPerFrame = 8;
  static constexpr milliseconds kTakeOver{5};  // later than the next tick: an earlier alarm costs 10 to 25 us to set

  // One piece of work for the main thread. Exactly one of the members is meaningful.
  struct Work {
    enum class Kind { kRequest, kPing, kLinkLost } kind;
    std::string_view payload;   // kRequest: valid until release_payload()
    std::vector<UniqueFd> fds;  // kRequest
    uint64_t ping_id = 0;
  };

  LinkThread() = default;
  ~LinkThread();
  LinkThread(const LinkThread&) = delete;
  LinkThread& operator=(const LinkThread&) = delete;

  // Reserves memory and starts the thread. To be called once, on the main thread, which will get the interrupts.
  Status start(UniqueFd link, Duration heartbeat_interval);

  // Main thread only, between runs.
  static bool has_room_for_copy();  // whether one more process and this thread fit the program's limit
  void pause();
  Status resume();
  Status restart(UniqueFd link, Duration heartbeat_interval);
  std::array<int, 4> own_descriptors() const;
  // In a copy that is parked, before `restart`: as long as it had the link, nobody would see the original's end of it.
  void close_descriptors();

  Work wait_for_work();
  void release_payload();

  // Any thread. Blocks while the manager is slow to read.
  Status send_frame(std::string_view frame);
  // Returns once the manager has acknowledged `id`. Ids grow.
  Status wait_for_ack(uint64_t id);
  uint64_t next_display_id() { return ++last_display_id_; }

  std::string cancelled_run();
  // How to tell the stacks; set before start(). Holds no lock and allocates nothing.
  void set_stack_dump(void (*dump)(int fd)) { dump_stacks_ = dump; }
  // In a signal handler, on any thread: tells the stacks if nothing is being sent just now. Async-signal-safe.
  void tell_crash();
  void set_namespace_names(uint64_t names) { namespace_names_ = names; }
  // Only in a forked child, where this thread does not exist: closes its copy of the descriptor.
  void forget_in_child() {
    link_.reset();
    alarm_.reset();
  }

  // The request is done with. While one is on, a link that user code closed is noticed within a second instead of a
  // heartbeat.
  void mark_idle() { busy_ = false; }

 private:
  struct Buffer {
    char* memory = nullptr;
    size_t filled = 0;
  };

  enum class Reader { kNobody, kMain, kThread };

  Status open_own(UniqueFd link, Duration heartbeat_interval);
  Status start_thread();
  void run();
  void take_over();
  int patience_ms(TimePoint now) const;
  void read_as_main();
  bool become_reader(Reader who);
  void give_up_reading();
  void set_alarm(Duration after);
  void call_thread();
  bool read_some(int flags);
  bool take_frames();
  void handle(std::string_view payload);
  void handle_request(std::string_view payload);
  void handle_cancel(std::string_view payload);
  void handle_stack(std::string_view payload);
  // link_stacks.cc
  enum class Meanwhile { kProgramRuns, kProgramStands };
  size_t stack_frame(std::string_view run, std::span<char> text, std::span<char> frame, Meanwhile meanwhile) const;
  void beat(TimePoint now);
  void lose_link();
  void wake_main();

  UniqueFd link_;
  UniqueFd alarm_;           // timerfd: when the native thread has to see whether somebody reads
  bool alarm_lost_ = false;  // user code closed it; native thread only
  std::atomic<Reader> reader_{Reader::kNobody};
  std::optional<HeartbeatSampler> sampler_;
  std::thread thread_;
  pthread_t main_thread_{};
  std::mutex send_mutex_;

  // Two reserved buffers: one is read into while the other holds the request that the main thread decodes.
  Buffer buffers_[2];
  int reading_ = 0;
  int fds_[kFdsPerFrame] = {};
  size_t fd_count_ = 0;

  // Mailbox. `signal_` changes after every change of the others.
  std::atomic<uint32_t> signal_{0};
  std::atomic<bool> request_ready_{false};
  std::string_view request_payload_;
  int request_fds_[kFdsPerFrame] = {};
  size_t request_fd_count_ = 0;
  std::atomic<uint64_t> ping_id_{0};
  std::atomic<bool> link_lost_{false};
  std::atomic<bool> pausing_{false};
  std::atomic<uint64_t> acked_id_{0};
  std::atomic<uint64_t> last_display_id_{0};
  std::atomic<uint64_t> namespace_names_{0};
  std::atomic<bool> busy_{false};

  std::atomic<pid_t> process_{0};  // which serves runs, as opposed to its forks

  void (*dump_stacks_)(int fd) = nullptr;
  Buffer stack_frame_;  // reserved for the answer to `stack`

  std::mutex cancel_mutex_;
  char cancelled_run_[limits::kIdBytes + 1] = {};
};

}  // namespace capsule
