#include "manager/output/pipe_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace capsule {
namespace {
constexpr size_t kFullReadBytes = 64u << 10;         // after a read this large there is probably more
constexpr size_t kSlowBytes = 16u << 10;             // so little after a pause: the next one may be longer
constexpr int kReadsAtOnce = 8;                      // then others get their turn
constexpr size_t kDefaultCapacityBytes = 64u << 10;  // pipe(7); the kernel gives less to a user over the budget
constexpr int kLargeCapacityBytes = 1 << 20;
}  // namespace

PipeReader::PipeReader(Loop& loop, UniqueFd read_end, Stream stream, Sink sink)
    : loop_(loop),
      fd_(std::move(read_end)),
      timer_(loop),
      stream_(stream),
      sink_(std::move(sink)),
      capacity_bytes_(kDefaultCapacityBytes) {
  (void)fcntl(fd_.get(), F_SETFL, O_NONBLOCK);  // a new pipe has no other flags
}

void PipeReader::start() {
  timer_.after(kFirstLook, [this] { poll(); });
}

void PipeReader::pause() {
  paused_ = true;
  timer_.cancel();
  if (watch_) fd_ = std::exchange(watch_, nullptr)->release();
}

void PipeReader::resume() {
  if (!std::exchange(paused_, false) || at_end_ || fd() < 0) return;
  poll_soon();
}

void PipeReader::linger() {
  if (at_end_ || fd() < 0) return;
  pause();
  paused_ = false;
  timer_.after(kLateLook, [this] { poll(); });
}

void PipeReader::close() {
  timer_.cancel();
  watch_.reset();
  fd_.reset();
}

void PipeReader::watch() {
  watch_ = std::make_unique<FdWatch>(loop_, std::move(fd_));
  watch_->on_readable([this] {
    fd_ = std::exchange(watch_, nullptr)->release();
    poll();
  });
}

void PipeReader::poll_soon() {
  timer_.after(pause_, [this] { poll(); });
}

void PipeReader::poll() {
  size_t total = 0;
  for (int reads = 0; reads < kReadsAtOnce && !paused_; ++reads) {
    const size_t got = read_once();
    total += got;
    if (got < kFullReadBytes) break;
  }
  if (paused_ || at_end_ || fd() < 0) return;
  if (total == 0) return watch();
  if (total >= kSlowBytes && !enlarged_) enlarge();
  if (total >= capacity_bytes_ / 4) {
    pause_ = std::max<Duration>(pause_ / 2, kPauseMin);
  } else if (total < kSlowBytes) {
    pause_ = std::min<Duration>(pause_ * 2, kPauseMax);
  }
  poll_soon();
}

void PipeReader::enlarge() {
  enlarged_ = true;
  const int capacity = fcntl(fd(), F_SETPIPE_SZ, kLargeCapacityBytes);
  if (capacity > 0) capacity_bytes_ = static_cast<size_t>(capacity);
}

size_t PipeReader::drain() {
  size_t total = 0;
  while (total < capacity_bytes_ && !at_end_ && fd() >= 0) {
    const size_t got = read_once();
    if (got == 0) break;
    total += got;
  }
  return total;
}

size_t PipeReader::read_once() {
  static std::array<char, limits::kOutputChunkBytes> block;  // one loop, one thread
  const ssize_t got = read(fd(), block.data(), block.size());
  if (got == 0) {
    at_end_ = true;
    if (watch_) fd_ = std::exchange(watch_, nullptr)->release();
  }
  if (got <= 0) return 0;
  sink_(stream_, {block.data(), static_cast<size_t>(got)});
  return static_cast<size_t>(got);
}

}  // namespace capsule
