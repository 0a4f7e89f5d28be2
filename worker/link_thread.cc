#include "worker/link_thread.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

#include "protocol/codec.h"
#include "protocol/frame.h"
#include "protocol/peek.h"

namespace capsule {
namespace {

constexpr size_t kBufferBytes = limits::kFrameBytes + limits::kFrameHeaderBytes;
constexpr size_t kKeepTouchedBytes = 256u << 10;  // more than this is given back to the kernel after a large frame
constexpr milliseconds kBusyPollMax{1000};
constexpr milliseconds kTakeOverWithoutAlarm{50};  // user code has closed the alarm
constexpr milliseconds kSendBusyRetry{100};
constexpr int kStartTries = 400;
constexpr milliseconds kStartPause{5};
constexpr int kManagerGoneStatus = 70;  // EX_SOFTWARE; nobody is left to read it

// Address space only: pages come when a frame needs them.
char* reserve(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

// The thread must take no signal: Python's handlers belong to the main thread.
void block_all_signals(sigset_t& previous) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
}

// Requests for the main thread: one at a time, with whatever descriptors came along.
bool is_request(std::string_view type) {
  return type == Execute::kType || type == Branch::kType || type == Restore::kType || type == Inspect::kType;
}

}  // namespace

LinkThread::~LinkThread() {
  if (thread_.joinable()) thread_.detach();  // a worker ends by _exit; there is no orderly end to wait for
}

Status LinkThread::start(UniqueFd link, Duration heartbeat_interval) {
  if (auto opened = open_own(std::move(link), heartbeat_interval); !opened) return opened;
  for (Buffer& buffer : buffers_) {
    buffer.memory = reserve(kBufferBytes);
    if (buffer.memory == nullptr) return system_failure("mmap of the link buffer");
  }
  stack_frame_.memory = reserve(kStackFrameBytes);
  if (stack_frame_.memory == nullptr) return system_failure("mmap of the stack buffer");
  main_thread_ = pthread_self();
  return start_thread();
}

Status LinkThread::open_own(UniqueFd link, Duration heartbeat_interval) {
  auto sampler = HeartbeatSampler::open(heartbeat_interval, now());
  if (!sampler) return tl::unexpected<Error>(sampler.error());
  sampler_ = std::move(*sampler);
  link_ = std::move(link);
  alarm_ = UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!alarm_) return system_failure("timerfd_create");
  return {};
}

Status LinkThread::start_thread() {
  sigset_t previous;
  block_all_signals(previous);
  Status started;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    started = failure(Errc::kUnavailable, std::string("start of a thread: ") + error.what());
  }
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  return started;
}

// A process that is forked while the thread is paused would take the thread's place.
bool LinkThread::has_room_for_copy() {
  sigset_t previous;
  block_all_signals(previous);
  bool has_room = true;
  try {
    std::thread([] {}).join();
  } catch (const std::system_error&) {
    has_room = false;
  }
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  return has_room;
}

void LinkThread::pause() {
  pausing_ = true;
  set_alarm(std::chrono::nanoseconds(1));
  thread_.join();
  pausing_ = false;
}

Status LinkThread::resume() {
  if (link_lost_.load()) return failure(Errc::kClosed, "the link is gone");
  reader_ = Reader::kNobody;
  Status started = start_thread();
  // Its place may be taken: by a child of the program, or by the ended thread itself, which the kernel still counts.
  for (int tries = 1; !started && tries < kStartTries; ++tries) {
    std::this_thread::sleep_for(kStartPause);
    started = start_thread();
  }
  return started;
}

// The frame in `buffers_` that made this copy was the original's.
Status LinkThread::restart(UniqueFd link, Duration heartbeat_interval) {
  if (auto opened = open_own(std::move(link), heartbeat_interval); !opened) return opened;
  for (Buffer& buffer : buffers_) buffer.filled = 0;
  fd_count_ = request_fd_count_ = 0;
  alarm_lost_ = false;
  request_payload_ = {};
  request_ready_ = busy_ = link_lost_ = false;
  ping_id_ = 0;
  cancelled_run_[0] = '\0';
  return resume();
}

std::array<int, 4> LinkThread::own_descriptors() const {
  const auto [statm, stat] = sampler_->descriptors();
  return {link_.get(), alarm_.get(), statm, stat};
}

void LinkThread::close_descriptors() {
  link_.reset();
  alarm_.reset();
  sampler_.reset();
}

LinkThread::Work LinkThread::wait_for_work() {
  for (;;) {
    const uint32_t seen = signal_.load();
    if (link_lost_.load()) return Work{Work::Kind::kLinkLost, {}, {}, 0};
    if (request_ready_.load()) {
      Work work{Work::Kind::kRequest, request_payload_, {}, 0};
      for (size_t i = 0; i < request_fd_count_; ++i) work.fds.emplace_back(request_fds_[i]);
      request_fd_count_ = 0;
      return work;
    }
    if (const uint64_t ping = ping_id_.exchange(0); ping != 0) return Work{Work::Kind::kPing, {}, {}, ping};
    if (become_reader(Reader::kMain)) {
      read_as_main();
    } else {
      signal_.wait(seen);
    }
  }
}

// Until there is something to do. Waits in poll, for who waits in recvmsg is woken once more when the manager takes the
// frame before: a Unix socket then tells everybody asleep on its other end that it has room.
void LinkThread::read_as_main() {
  bool good = true;
  while (good && !request_ready_.load() && ping_id_.load() == 0) {
    pollfd link{link_.get(), POLLIN, 0};
    if (poll(&link, 1, -1) < 0 && errno != EINTR) good = false;
    good = good && (link.revents & POLLNVAL) == 0 && read_some(MSG_DONTWAIT) && take_frames();
  }
  if (!good) return lose_link();
  give_up_reading();
}

bool LinkThread::become_reader(Reader who) {
  Reader nobody = Reader::kNobody;
  return reader_.compare_exchange_strong(nobody, who);
}

// For the time of a run. The native thread looks after the link when the run turns out to be a long one.
void LinkThread::give_up_reading() {
  reader_ = Reader::kNobody;
  set_alarm(kTakeOver);
}

void LinkThread::set_alarm(Duration after) {
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(after).count();
  const itimerspec once{{0, 0}, {0, static_cast<long>(nanoseconds)}};
  timerfd_settime(alarm_.get(), 0, &once, nullptr);
}

// Somebody waits for an answer, so there has to be a reader now.
void LinkThread::call_thread() {
  if (become_reader(Reader::kThread)) set_alarm(std::chrono::nanoseconds(1));
}

void LinkThread::release_payload() {
  Buffer& done = buffers_[1 - reading_];
  if (request_payload_.size() > kKeepTouchedBytes) madvise(done.memory, kBufferBytes, MADV_DONTNEED);
  request_payload_ = {};
  request_ready_ = false;
}

Status LinkThread::send_frame(std::string_view frame) {
  const std::lock_guard lock(send_mutex_);
  while (!frame.empty()) {
    const ssize_t put = send(link_.get(), frame.data(), frame.size(), MSG_NOSIGNAL);
    if (put >= 0) {
      frame.remove_prefix(static_cast<size_t>(put));
    } else if (errno != EINTR) {
      return system_failure("send to the manager");
    }
  }
  return {};
}

Status LinkThread::wait_for_ack(uint64_t id) {
  for (;;) {
    const uint32_t seen = signal_.load();
    if (acked_id_.load() >= id) return {};
    if (link_lost_.load()) return failure(Errc::kClosed, "the connection to Capsule is gone");
    call_thread();
    signal_.wait(seen);
  }
}

std::string LinkThread::cancelled_run() {
  const std::lock_guard lock(cancel_mutex_);
  return cancelled_run_;
}

void LinkThread::run() {
  while (!link_lost_.load() && !pausing_.load()) {
    const TimePoint at = now();
    if (sampler_->is_due(at)) beat(at);
    const bool reads = reader_.load() == Reader::kThread;
    pollfd ready[2] = {{alarm_lost_ ? -1 : alarm_.get(), POLLIN, 0}, {reads ? link_.get() : -1, POLLIN, 0}};
    const int count = poll(ready, 2, patience_ms(at));
    if (count < 0 && errno != EINTR) break;
    if ((ready[0].revents & POLLNVAL) != 0) alarm_lost_ = true;
    if (ready[0].revents != 0 || alarm_lost_) take_over();
    if (count <= 0) continue;
    if (ready[1].revents == 0) continue;
    if ((ready[1].revents & (POLLNVAL | POLLERR)) != 0 || !read_some(MSG_DONTWAIT) || !take_frames()) break;
    if (!request_ready_.load()) continue;
    give_up_reading();
    wake_main();
  }
  if (!link_lost_.load() && !pausing_.load()) lose_link();
}

// Disarms first: an alarm set meanwhile belongs to a link that has no reader, and then the next line finds it so.
void LinkThread::take_over() {
  set_alarm(Duration::zero());
  become_reader(Reader::kThread);
}

int LinkThread::patience_ms(TimePoint at) const {
  Duration patience = sampler_->is_due(at) ? Duration(kSendBusyRetry) : sampler_->until_due(at);
  if (alarm_lost_) patience = std::min<Duration>(patience, kTakeOverWithoutAlarm);
  if (busy_.load()) patience = std::min<Duration>(patience, kBusyPollMax);
  return static_cast<int>(to_milliseconds(patience)) + 1;
}

bool LinkThread::read_some(int flags) {
  Buffer& buffer = buffers_[reading_];
  iovec piece{buffer.memory + buffer.filled, kBufferBytes - buffer.filled};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kFdsPerFrame * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(link_.get(), &message, MSG_CMSG_CLOEXEC | flags);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) _exit(kManagerGoneStatus);
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = std::min((header->cmsg_len - CMSG_LEN(0)) / sizeof(int), kFdsPerFrame - fd_count_);
    std::memcpy(fds_ + fd_count_, CMSG_DATA(header), count * sizeof(int));
    fd_count_ += count;
  }
  buffer.filled += static_cast<size_t>(got);
  return true;
}

// Handles every whole frame in the buffer and moves what is left to the front.
bool LinkThread::take_frames() {
  for (;;) {
    Buffer& buffer = buffers_[reading_];
    const std::string_view bytes(buffer.memory, buffer.filled);
    if (bytes.size() < limits::kFrameHeaderBytes) return true;
    const size_t length =
        read_frame_header(std::span<const char, limits::kFrameHeaderBytes>(bytes.data(), limits::kFrameHeaderBytes));
    if (length == 0 || length > limits::kFrameBytes) return false;
    const size_t whole = limits::kFrameHeaderBytes + length;
    if (bytes.size() < whole) return true;
    const std::string_view rest = bytes.substr(whole);
    const std::string_view payload = bytes.substr(limits::kFrameHeaderBytes, length);
    if (is_request(peek::type(payload))) {
      Buffer& other = buffers_[1 - reading_];
      if (request_ready_.load()) return false;  // the manager sends the next only after `finished`
      std::memcpy(other.memory, rest.data(), rest.size());
      other.filled = rest.size();
      reading_ = 1 - reading_;
      handle_request(payload);
    } else {
      handle(payload);
      std::memmove(buffer.memory, rest.data(), rest.size());
      buffer.filled = rest.size();
    }
  }
}

void LinkThread::handle(std::string_view payload) {
  const std::string_view type = peek::type(payload);
  if (type == Cancel::kType) return handle_cancel(payload);
  if (type == Stack::kType) return handle_stack(payload);
  if (type == Ack::kType) {
    acked_id_ = peek::number(payload, "re").value_or(0);
    return wake_main();
  }
  if (type == Ping::kType) {
    const uint64_t id = peek::number(payload, "id").value_or(0);
    if (peek::flag(payload, "execute").value_or(false)) {
      ping_id_ = id;
      return wake_main();
    }
    std::array<char, 64> frame;
    send_frame({frame.data(), encode_ack_frame(id, frame)});
  }
}

void LinkThread::handle_request(std::string_view payload) {
  request_payload_ = payload;
  std::copy_n(fds_, fd_count_, request_fds_);
  request_fd_count_ = std::exchange(fd_count_, 0);
  busy_ = true;
  process_ = getpid();
  request_ready_ = true;
}

// Stores which run is meant before the signal goes out: the handler in Python asks for it.
void LinkThread::handle_cancel(std::string_view payload) {
  const std::string_view run = peek::text(payload, "run_id").value_or(std::string_view{}).substr(0, limits::kIdBytes);
  {
    const std::lock_guard lock(cancel_mutex_);
    std::copy(run.begin(), run.end(), cancelled_run_);
    cancelled_run_[run.size()] = '\0';
  }
  pthread_kill(main_thread_, SIGINT);
}

void LinkThread::beat(TimePoint at) {
  std::array<char, kHeartbeatFrameBytes> frame;
  const std::unique_lock lock(send_mutex_, std::try_to_lock);
  if (!lock) return;  // a frame is under way, which is a sign of life too; the next turn of the loop tries again
  const size_t size = encode_heartbeat_frame(sampler_->sample(at, namespace_names_), frame);
  send(link_.get(), frame.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void LinkThread::lose_link() {
  link_.reset();
  link_lost_ = true;
  wake_main();
  set_alarm(std::chrono::nanoseconds(1));  // the other thread may be asleep
}

void LinkThread::wake_main() {
  ++signal_;
  signal_.notify_all();
}

}  // namespace capsule
