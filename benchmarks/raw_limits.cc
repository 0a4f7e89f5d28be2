#include "benchmarks/raw_limits.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/clock.h"
#include "base/posix_io.h"

namespace capsule::bench {
namespace {

constexpr double kMega = 1e6;

bool read_exactly(int fd, char* into, size_t bytes) {
  while (bytes > 0) {
    const ssize_t got = read(fd, into, bytes);
    if (got <= 0) return false;
    into += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

bool write_exactly(int fd, const char* from, size_t bytes) {
  while (bytes > 0) {
    const ssize_t put = send(fd, from, bytes, MSG_NOSIGNAL);
    if (put <= 0) return false;
    from += put;
    bytes -= static_cast<size_t>(put);
  }
  return true;
}

// Passes what comes from `above` on to `below`, and the answer back.
[[noreturn]] void relay(int above, int below) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::array<char, kPingBytes> block;
  while (read_exactly(above, block.data(), block.size()) && write_exactly(below, block.data(), block.size()) &&
         read_exactly(below, block.data(), block.size()) && write_exactly(above, block.data(), block.size())) {
  }
  _exit(0);
}

[[noreturn]] void echo(int above) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::array<char, kPingBytes> block;
  while (read_exactly(above, block.data(), block.size()) && write_exactly(above, block.data(), block.size())) {
  }
  _exit(0);
}

void end(pid_t& pid) {
  if (pid <= 0) return;
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  pid = 0;
}

[[noreturn]] void send_blocks(int socket, size_t bytes) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::string block(kStreamBlockBytes, 'x');
  for (size_t left = bytes; left > 0;) {
    const size_t size = std::min(left, block.size());
    if (!write_exactly(socket, block.data(), size)) break;
    left -= size;
  }
  _exit(0);
}

}  // namespace

Result<TwoHops> TwoHops::start() {
  Result<FdPair> upper = make_stream_socketpair(), lower = make_stream_socketpair();
  if (!upper) return tl::unexpected(upper.error());
  if (!lower) return tl::unexpected(lower.error());
  const pid_t relay_pid = fork();
  if (relay_pid == 0) relay(upper->second.get(), lower->first.get());
  const pid_t echo_pid = fork();
  if (echo_pid == 0) echo(lower->second.get());
  TwoHops hops(std::move(upper->first), relay_pid, echo_pid);
  if (relay_pid < 0 || echo_pid < 0) return system_failure("fork");
  return hops;
}

TwoHops::TwoHops(TwoHops&& other) noexcept
    : socket_(std::move(other.socket_)), relay_(std::exchange(other.relay_, 0)), echo_(std::exchange(other.echo_, 0)) {}

TwoHops::~TwoHops() {
  end(relay_);
  end(echo_);
}

Result<std::vector<double>> TwoHops::measure(size_t count) {
  std::vector<double> took_ms;
  std::array<char, kPingBytes> ping{}, pong{};
  for (size_t i = 0; i < count; ++i) {
    ping[i % kPingBytes] = static_cast<char>(i);
    const TimePoint begin = now();
    if (!write_exactly(socket_.get(), ping.data(), ping.size()) ||
        !read_exactly(socket_.get(), pong.data(), pong.size())) {
      return failure(Errc::kClosed, "the relay of the raw round trip is gone");
    }
    took_ms.push_back(to_seconds(now() - begin) * 1e3);
    if (ping != pong) return failure(Errc::kInvalid, "the raw round trip brought other bytes back");
  }
  return took_ms;
}

Result<double> stream_rate(size_t bytes) {
  Result<FdPair> pair = make_stream_socketpair();
  if (!pair) return tl::unexpected(pair.error());
  const TimePoint begin = now();
  pid_t sender = fork();
  if (sender < 0) return system_failure("fork");
  if (sender == 0) send_blocks(pair->second.get(), bytes);
  pair->second.reset();
  std::string block(kStreamBlockBytes, '\0');
  size_t sum = 0;
  for (ssize_t got = 0; (got = read(pair->first.get(), block.data(), block.size())) > 0;) {
    sum += static_cast<size_t>(got);
  }
  const double took_s = to_seconds(now() - begin);
  end(sender);
  if (sum != bytes) return failure(Errc::kInvalid, "the raw stream lost bytes");
  return static_cast<double>(bytes) / kMega / took_s;
}

}  // namespace capsule::bench
