#include "manager/link/frame_channel.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/posix_io.h"
#include "manager/link/frame_label.h"
#include "protocol/codec.h"

namespace capsule {
namespace {
constexpr size_t kReadBytes = 64u << 10;
constexpr int kReadsAtOnce = 8;
constexpr size_t kJoinedBytes = 16u << 10;
constexpr size_t kPendingFdsMax = 16;  // a peer we trust sends at most one a frame
}  // namespace

FrameChannel::FrameChannel(Loop& loop, UniqueFd socket, PassedFds passed_fds, label::Socket kind, Metrics& metrics)
    : metrics_(metrics), watch_(loop, std::move(socket)), soon_(loop), passed_fds_(passed_fds), kind_(kind) {}

void FrameChannel::start(Handlers handlers) {
  handlers_ = std::move(handlers);
  watch_.on_readable([self = weak_from_this()] {
    if (const auto channel = self.lock()) channel->read_some();
  });
}

void FrameChannel::send(const Message& message, std::vector<UniqueFd> fds) {
  send_bytes(frame_label(message), encode_frame(message), {}, std::move(fds));
}

void FrameChannel::send_bytes(label::Frame type, std::string frame, std::string body, std::vector<UniqueFd> fds) {
  if (!is_open()) return;
  enqueue(type, std::move(frame), std::move(body), std::move(fds));
  if (!waiting_to_write_) flush();
}

void FrameChannel::send_soon(const Message& message) {
  if (!is_open()) return;
  enqueue(frame_label(message), encode_frame(message), {}, {});
  if (std::exchange(soon_is_set_, true)) return;
  soon_.after(kSoon, [self = weak_from_this()] {
    const auto channel = self.lock();
    if (!channel) return;
    channel->soon_is_set_ = false;
    if (!channel->waiting_to_write_) channel->flush();
  });
}

// A small frame joins the one that waits before it.
void FrameChannel::enqueue(label::Frame type, std::string frame, std::string body, std::vector<UniqueFd> fds) {
  metrics_.frame(label::Direction::kSent, type, frame.size() + body.size());
  if (tap_) tap_->sent(std::string_view(frame).substr(limits::kFrameHeaderBytes), frame.size() + body.size());
  queued_bytes_ += frame.size() + body.size();
  const bool joins = !queue_.empty() && body.empty() && fds.empty() && queue_.back().sent == 0 &&
                     queue_.back().body.empty() && queue_.back().fds.empty() &&
                     queue_.back().head.size() + frame.size() <= kJoinedBytes;
  if (joins) {
    queue_.back().head += frame;
  } else {
    queue_.push_back({std::move(frame), std::move(body), std::move(fds), 0});
  }
}

void FrameChannel::pause_reading() {
  paused_ = true;
  watch_.pause_reading();
}

void FrameChannel::resume_reading() {
  if (!paused_) return;
  paused_ = false;
  if (!handling_) take_frames();  // what was decoded when the pause began
  if (is_open() && !paused_) watch_.resume_reading();
}

void FrameChannel::close() {
  watch_.close();
  queue_.clear();
  queued_bytes_ = 0;
}

UniqueFd FrameChannel::release() {
  queue_.clear();
  queued_bytes_ = 0;
  return watch_.release();
}

bool FrameChannel::read_some() {
  static std::array<char, kReadBytes> block;  // one loop, one thread
  if (passed_fds_ == PassedFds::kTaken) {
    const auto got = receive_with_fds(watch_.fd(), block, fds_, MSG_DONTWAIT);
    if (!got) {
      if (errno == EAGAIN) return false;
      return end(got.error()), false;
    }
    if (*got == 0) return end({Errc::kClosed, "closed by the peer"}), false;
    if (fds_.size() > kPendingFdsMax) return end({Errc::kTooLarge, "too many descriptors"}), false;
    decoder_.feed({block.data(), *got});
  } else {
    const ssize_t got = recv(watch_.fd(), block.data(), block.size(), MSG_DONTWAIT);
    if (got < 0) {
      if (errno == EAGAIN || errno == EINTR) return false;
      return end(system_failure("recv").value()), false;
    }
    if (got == 0) return end({Errc::kClosed, "closed by the peer"}), false;
    decoder_.feed({block.data(), static_cast<size_t>(got)});
  }
  take_frames();
  return is_open();
}

void FrameChannel::read_now() {
  const auto self = shared_from_this();
  for (int i = 0; i < kReadsAtOnce && is_open() && !paused_ && !handling_ && read_some(); ++i) {
  }
}

void FrameChannel::take_frames() {
  const auto self = shared_from_this();  // a handler may drop the last reference
  handling_ = true;
  while (is_open() && !paused_) {
    const auto payload = decoder_.next();
    if (!payload) {
      metrics_.frame_error(kind_);
      end(payload.error());
      break;
    }
    if (!*payload) break;
    auto message = decode(**payload);
    metrics_.frame(label::Direction::kReceived, message ? frame_label(*message) : label::Frame::kOther,
                   (*payload)->size() + limits::kFrameHeaderBytes);
    if (!message) {
      metrics_.frame_error(kind_);
      end(message.error());
      break;
    }
    if (tap_) tap_->received(*message, (*payload)->size() + limits::kFrameHeaderBytes);
    handlers_.on_message(std::move(*message), (*payload)->size());
  }
  handling_ = false;
}

void FrameChannel::flush() {
  while (!queue_.empty() && send_front(queue_.front())) queue_.pop_front();
}

void FrameChannel::write_on() {
  waiting_to_write_ = false;
  const uint64_t before = sent_bytes_;
  flush();
  if (sent_bytes_ != before && handlers_.on_progress) handlers_.on_progress();
}

bool FrameChannel::send_front(Outgoing& out) {
  while (out.sent < out.size()) {
    std::array<iovec, 2> pieces{};
    int count = 0;
    if (out.sent < out.head.size()) pieces[count++] = {out.head.data() + out.sent, out.head.size() - out.sent};
    const size_t body_sent = out.sent > out.head.size() ? out.sent - out.head.size() : 0;
    if (body_sent < out.body.size()) pieces[count++] = {out.body.data() + body_sent, out.body.size() - body_sent};
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = static_cast<size_t>(count);
    ssize_t put = 0;
    if (!out.fds.empty()) {
      std::vector<int> raw;
      for (const UniqueFd& fd : out.fds) raw.push_back(fd.get());
      const auto sent =
          send_with_fds(watch_.fd(), {static_cast<char*>(pieces[0].iov_base), pieces[0].iov_len}, raw, MSG_DONTWAIT);
      put = sent ? static_cast<ssize_t>(*sent) : -1;
    } else {
      put = sendmsg(watch_.fd(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (put >= 0) {
      out.fds.clear();
      note_sent(out, static_cast<size_t>(put));
    } else if (errno == EAGAIN) {
      waiting_to_write_ = true;
      watch_.when_writable([self = weak_from_this()] {
        if (const auto channel = self.lock()) channel->write_on();
      });
      return false;
    } else if (errno != EINTR) {
      // The reading side sees the end too and reports it; until then what is queued has nowhere to go.
      queue_.clear();
      queued_bytes_ = 0;
      return false;
    }
  }
  return true;
}

void FrameChannel::note_sent(Outgoing& out, size_t size_bytes) {
  const auto of_body = [&] { return out.sent - std::min(out.sent, out.head.size()); };
  const size_t body_before = of_body();
  out.sent += size_bytes;
  sent_bytes_ += size_bytes;
  queued_bytes_ -= size_bytes;
  sent_bodies_.bytes += of_body() - body_before;
  if (!out.body.empty() && out.sent == out.size()) ++sent_bodies_.whole;
}

void FrameChannel::end(Error error) {
  const auto self = shared_from_this();
  // After a bad frame the peer is still there to be told why; whoever owns the channel closes it.
  const bool peer_is_there = error.code == Errc::kInvalid || error.code == Errc::kTooLarge;
  if (peer_is_there) {
    pause_reading();
  } else {
    watch_.close();
  }
  if (handlers_.on_end) std::exchange(handlers_.on_end, nullptr)(error);
}

}  // namespace capsule
