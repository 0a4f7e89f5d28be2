// The programs Capsule is measured against, each kept running so that a block of samples can be asked for at any time.
// Every figure is checked: results, and stdout byte by byte.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "benchmarks/child.h"

namespace capsule::bench {

inline constexpr seconds kPeerTimeout{120};
inline constexpr milliseconds kSpinHead{5};  // a loop goes round for so long before it is interrupted

// benchmarks/bare_fork.cc: fork, one byte, _exit and wait of a CPython with these modules imported.
class BareFork {
 public:
  static Result<BareFork> start(const std::vector<std::string>& modules);
  Result<std::vector<double>> forks(size_t count);   // ms, nothing runs in the child
  Result<std::vector<double>> runs(size_t count);    // ms, the child evaluates 1+1
  Status set_heap(size_t heap_mb);                   // so much more in every child, in small pages; MB of 10^6
  Result<std::vector<double>> copies(size_t count);  // ms until a child is there that stays
  Result<std::vector<double>> kills(size_t count);   // ms from the SIGKILL of such a child until it is reaped

 private:
  Result<std::vector<double>> ask(const std::string& what, size_t count, double scale);
  explicit BareFork(Child child) : child_(std::move(child)) {}
  Child child_;
};

// benchmarks/plain.py: Debian's python3 with nothing around it, its stdout a pipe as large as Capsule's.
class PlainPython {
 public:
  static Result<PlainPython> start();
  Result<double> flood_rate(size_t lines, std::string_view line);  // MB/s
  Result<double> interrupt();                                      // ms, from SIGINT to the line that tells of it

 private:
  explicit PlainPython(Child child) : child_(std::move(child)) {}
  Child child_;
};

// benchmarks/peers.py: ipykernel through jupyter_client.
class Notebook {
 public:
  static Result<Notebook> start();
  Result<std::string> versions();
  Result<std::vector<double>> round_trips(size_t count, const std::string& code, const std::string& result);  // ms
  Result<double> output_rate(const std::string& code, std::string_view line, size_t bytes);                   // MB/s
  Result<std::vector<double>> interrupts(size_t count);                                                       // ms
  Result<double> private_bytes();

 private:
  explicit Notebook(Child child) : child_(std::move(child)) {}
  Child child_;
};

}  // namespace capsule::bench
