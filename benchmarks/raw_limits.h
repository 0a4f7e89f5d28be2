// What the kernel alone can do: the floor under every figure. The helpers are forked children that die with us.
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule::bench {

inline constexpr size_t kPingBytes = 64;
inline constexpr size_t kStreamBlockBytes = 64u << 10;

// 64 bytes through two socketpairs and back: client, relay, echo, as a request goes through a manager to a worker.
class TwoHops {
 public:
  static Result<TwoHops> start();
  TwoHops(TwoHops&& other) noexcept;
  TwoHops& operator=(TwoHops&&) = delete;
  ~TwoHops();

  // Round trips in milliseconds.
  Result<std::vector<double>> measure(size_t count);

 private:
  TwoHops(UniqueFd socket, pid_t relay, pid_t echo) : socket_(std::move(socket)), relay_(relay), echo_(echo) {}

  UniqueFd socket_;
  pid_t relay_ = 0, echo_ = 0;
};

// 64 KiB blocks through a Unix stream socket, from a child to us, counted to the byte. MB/s.
Result<double> stream_rate(size_t bytes);

}  // namespace capsule::bench
