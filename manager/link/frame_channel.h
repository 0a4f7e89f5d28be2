// Frames over one socket of the manager, either kind: reading hands on decoded messages, writing queues and never
// blocks. Owned by whoever talks to that peer; lives on the loop's thread.
//
// The first end (closed by the peer, a bad frame, a socket error) is reported once, and nothing after it. The queue has
// no limit of its own: whoever fills it watches queued_bytes() (clients: OutputBacklog; workers: one request at a
// time).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "manager/async/loop.h"
#include "manager/link/frame_tap.h"
#include "manager/observe/metrics.h"
#include "protocol/frame.h"
#include "protocol/message.h"

namespace capsule {

enum class PassedFds { kRefused, kTaken };  // refused ones are closed by the kernel; user code cannot flood us

class FrameChannel : public std::enable_shared_from_this<FrameChannel> {
 public:
  struct Handlers {
    std::function<void(Message, size_t payload_bytes)> on_message;
    std::function<void(const Error&)> on_end;
    std::function<void()> on_progress;  // some of the queue was sent
  };

  FrameChannel(Loop& loop, UniqueFd socket, PassedFds passed_fds, label::Socket kind, Metrics& metrics);

  void start(Handlers handlers);
  void send(const Message& message, std::vector<UniqueFd> fds = {});
  // In one write with what is sent next, or after kSoon: who waits for the last of several frames wakes once.
  static constexpr milliseconds kSoon = kTick;
  void send_soon(const Message& message);
  void send_bytes(label::Frame type, std::string frame, std::string body = {}, std::vector<UniqueFd> fds = {});

  // Descriptors that came with frames so far, oldest first. Only with PassedFds::kTaken.
  std::vector<UniqueFd> take_fds() { return std::exchange(fds_, {}); }

  // Hands on now what has arrived, up to a few buffers full; reports an end as well.
  void read_now();
  void pause_reading();
  void resume_reading();
  void set_max_payload(size_t bytes) { decoder_.set_max_payload(bytes); }

  void set_tap(std::shared_ptr<FrameTap> tap) { tap_ = std::move(tap); }  // none: nobody watches

  bool is_open() const { return watch_.is_open(); }
  bool is_mid_frame() const { return decoder_.is_mid_frame(); }
  size_t queued_bytes() const { return queued_bytes_; }
  uint64_t sent_bytes() const { return sent_bytes_; }
  // Of what came with a body of its own, which is output: bytes of bodies handed to the socket, and whole bodies.
  struct Bodies {
    uint64_t bytes = 0, whole = 0;
  };
  const Bodies& sent_bodies() const { return sent_bodies_; }
  int fd() const { return watch_.fd(); }
  void close();        // drops what is queued; no handler is called any more
  UniqueFd release();  // the same, but the socket stays open

 private:
  struct Outgoing {
    std::string head, body;
    std::vector<UniqueFd> fds;
    size_t sent = 0;
    size_t size() const { return head.size() + body.size(); }
  };

  void enqueue(label::Frame type, std::string frame, std::string body, std::vector<UniqueFd> fds);
  bool read_some();  // false: nothing was there, or it ended
  void take_frames();
  void flush();
  void write_on();                 // the socket can take more
  bool send_front(Outgoing& out);  // false: wait or ended
  void note_sent(Outgoing& out, size_t size_bytes);
  void end(Error error);

  Metrics& metrics_;
  FdWatch watch_;
  Timer soon_;
  PassedFds passed_fds_;
  label::Socket kind_;
  FrameDecoder decoder_;
  std::shared_ptr<FrameTap> tap_;
  Handlers handlers_;
  std::deque<Outgoing> queue_;
  std::vector<UniqueFd> fds_;
  size_t queued_bytes_ = 0;
  uint64_t sent_bytes_ = 0;
  Bodies sent_bodies_;
  bool paused_ = false;
  bool waiting_to_write_ = false;
  bool soon_is_set_ = false;
  bool handling_ = false;
};

}  // namespace capsule
