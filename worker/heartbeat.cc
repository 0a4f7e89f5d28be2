#include "worker/heartbeat.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace capsule {
namespace {

uint64_t process_cpu_us() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_nsec) / 1000;
}

// The whole small file from its start, as a C string in `text`. Empty when it cannot be read (closed by user code).
template <size_t N>
void read_again(int fd, std::array<char, N>& text) {
  const ssize_t got = pread(fd, text.data(), N - 1, 0);
  text[got > 0 ? static_cast<size_t>(got) : 0] = '\0';
}

uint64_t resident_bytes(int statm) {
  std::array<char, 128> text;
  read_again(statm, text);
  const char* second = std::strchr(text.data(), ' ');  // proc(5): size resident ...
  if (second == nullptr) return 0;
  return std::strtoull(second, nullptr, 10) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint32_t thread_count(int stat) {
  std::array<char, 1024> text;
  read_again(stat, text);
  const char* at = std::strrchr(text.data(), ')');  // proc(5): num_threads is the 18th field after the name's end
  for (int field = 0; at != nullptr && field < 18; ++field) at = std::strchr(at + 1, ' ');
  return at == nullptr ? 0 : static_cast<uint32_t>(std::strtoul(at, nullptr, 10));
}

}  // namespace

Result<HeartbeatSampler> HeartbeatSampler::open(Duration interval, TimePoint now) {
  HeartbeatSampler sampler;
  sampler.statm_.reset(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  sampler.stat_.reset(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
  if (!sampler.statm_ || !sampler.stat_) return system_failure("open /proc/self/stat");
  sampler.interval_ = interval;
  sampler.started_ = sampler.last_ = now;
  sampler.next_ = now + interval;
  sampler.last_cpu_us_ = process_cpu_us();
  return sampler;
}

Heartbeat HeartbeatSampler::sample(TimePoint now, uint64_t namespace_names) {
  Heartbeat beat;
  beat.seq = ++seq_;
  beat.rss_bytes = resident_bytes(statm_.get());
  beat.threads = thread_count(stat_.get());
  beat.namespace_names = namespace_names;
  beat.uptime_ms = static_cast<uint64_t>(to_milliseconds(now - started_));
  const uint64_t cpu_us = process_cpu_us();
  const int64_t wall_us = to_microseconds(now - last_);
  if (wall_us > 0) beat.cpu_percent = 100.0 * static_cast<double>(cpu_us - last_cpu_us_) / static_cast<double>(wall_us);
  last_cpu_us_ = cpu_us;
  last_ = now;
  next_ = now + interval_;
  return beat;
}

}  // namespace capsule
