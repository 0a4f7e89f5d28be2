// A program this benchmark started, with pipes on its stdin and stdout. It dies with the benchmark.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule::bench {

inline constexpr seconds kStopTimeout{20};
inline constexpr size_t kAnswerBytes = 4u << 20;  // of an answer

struct ChildOptions {
  std::vector<std::string> arguments;    // the first one is the program's path
  std::vector<std::string> environment;  // "NAME=value", added to ours
  std::string error_file;                // gets its stderr; empty: nobody does
};

class Child {
 public:
  static Result<Child> start(const ChildOptions& options);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();  // terminate()

  pid_t pid() const { return pid_; }
  int out_fd() const { return out_.get(); }

  Status send_line(std::string_view line);
  // Without its newline. kTimedOut, kClosed.
  Result<std::string> read_line(TimePoint deadline);
  // One round trip of lines.
  Result<std::string> ask(std::string_view line, Duration patience);

  // Closes its stdin and waits for its end; after kStopTimeout it is killed. Its wait status.
  int finish();
  // SIGTERM first, for programs that do not read their stdin.
  int terminate();

 private:
  Child(pid_t pid, UniqueFd in, UniqueFd out) : pid_(pid), in_(std::move(in)), out_(std::move(out)) {}
  int wait_for_end();

  pid_t pid_ = 0;  // 0: gone
  UniqueFd in_, out_;
  std::string received_;
};

// A program from its start to its end, as somebody at a shell would time it: its output is read to its end.
struct ProgramRun {
  Duration took{};
  int wait_status = 0;
  std::string output;
};
Result<ProgramRun> run_program(const ChildOptions& options);

}  // namespace capsule::bench
