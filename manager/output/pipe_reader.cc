#include "manager/output/pipe_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace capsule {
namespace {
constexpr size_t kFullReadBytes = 64u << 10;  // a read this large means a fast writer: no reason to wait
constexpr size_t kDefaultCapacityBytes = 64u << 10;
}  // namespace

PipeReader::PipeReader(Loop& loop, UniqueFd read_end, Stream stream, Sink sink)
    : watch_(loop, std::move(read_end)), timer_(loop), stream_(stream), sink_(std::move(sink)) {
  const int capacity = fcntl(watch_.fd(), F_GETPIPE_SZ);
  capacity_bytes_ = capacity > 0 ? static_cast<size_t>(capacity) : kDefaultCapacityBytes;
}

void PipeReader::start() {
  watch_.on_readable([this] { readable(); });
}

void PipeReader::pause() {
  paused_ = true;
  timer_.cancel();
  watch_.pause_reading();
}

void PipeReader::resume() {
  if (!paused_) return;
  paused_ = false;
  if (!at_end_ && watch_.is_open()) watch_.resume_reading();
}

void PipeReader::close() {
  timer_.cancel();
  watch_.close();
}

void PipeReader::readable() {
  const size_t got = read_once();
  if (at_end_ || paused_ || !watch_.is_open() || got >= kFullReadBytes) return;
  watch_.pause_reading();
  timer_.after(kCoalesce, [this] {
    if (!paused_ && !at_end_) watch_.resume_reading();
  });
}

size_t PipeReader::drain() {
  size_t total = 0;
  while (total < capacity_bytes_ && !at_end_ && watch_.is_open()) {
    const size_t got = read_once();
    if (got == 0) break;
    total += got;
  }
  return total;
}

size_t PipeReader::read_once() {
  static std::array<char, limits::kOutputChunkBytes> block;  // one loop, one thread
  const ssize_t got = read(watch_.fd(), block.data(), block.size());
  if (got == 0) {
    at_end_ = true;
    watch_.pause_reading();
  }
  if (got <= 0) return 0;
  sink_(stream_, {block.data(), static_cast<size_t>(got)});
  return static_cast<size_t>(got);
}

}  // namespace capsule
