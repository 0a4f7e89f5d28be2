#include "benchmarks/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/posix_io.h"

namespace capsule::bench {
namespace {

constexpr int kExecFailed = 127;

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void become(const char* program, char* const* argv, char* const* envp, int in, int out, int err) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  dup2(in, 0);
  dup2(out, 1);
  dup2(err, 2);
  execve(program, argv, envp);
  _exit(kExecFailed);
}

}  // namespace

Result<Child> Child::start(const ChildOptions& options) {
  Result<FdPair> in = make_pipe(), out = make_pipe();
  if (!in) return tl::unexpected(in.error());
  if (!out) return tl::unexpected(out.error());
  const std::string error_file = options.error_file.empty() ? "/dev/null" : options.error_file;
  const UniqueFd err(open(error_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!err) return system_failure("open " + error_file);
  std::vector<std::string> arguments = options.arguments, environment = options.environment;
  for (char** each = environ; *each != nullptr; ++each) environment.emplace_back(*each);
  const std::vector<char*> argv = pointers_to(arguments), envp = pointers_to(environment);
  const pid_t pid = fork();
  if (pid < 0) return system_failure("fork");
  if (pid == 0) become(argv[0], argv.data(), envp.data(), in->first.get(), out->second.get(), err.get());
  return Child(pid, std::move(in->second), std::move(out->first));
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      in_(std::move(other.in_)),
      out_(std::move(other.out_)),
      received_(std::move(other.received_)) {}

Child::~Child() { terminate(); }

Status Child::send_line(std::string_view line) { return write_all(in_.get(), std::string(line) + "\n"); }

Result<std::string> Child::read_line(TimePoint deadline) {
  std::array<char, 1u << 16> block;
  for (;;) {
    if (const size_t end = received_.find('\n'); end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    if (received_.size() > kAnswerBytes) return failure(Errc::kTooLarge, "a program's answer has no end");
    const int64_t left_ms = to_milliseconds(deadline - now());
    if (left_ms <= 0) return failure(Errc::kTimedOut, "a program does not answer");
    pollfd ready{out_.get(), POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(std::min<int64_t>(left_ms, 60'000))) <= 0) continue;
    const ssize_t got = read(out_.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return failure(Errc::kClosed, "a program ended instead of answering");
    received_.append(block.data(), static_cast<size_t>(got));
  }
}

Result<std::string> Child::ask(std::string_view line, Duration patience) {
  if (auto sent = send_line(line); !sent) return tl::unexpected(sent.error());
  return read_line(now() + patience);
}

int Child::finish() {
  in_.reset();
  return wait_for_end();
}

int Child::terminate() {
  if (pid_ != 0) kill(pid_, SIGTERM);
  return finish();
}

int Child::wait_for_end() {
  if (pid_ == 0) return 0;
  // A pidfd tells of the end at once; this wait is part of what run_program() times.
  const UniqueFd end(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  pollfd ended{end.get(), POLLIN, 0};
  const bool in_time = end && poll(&ended, 1, static_cast<int>(to_milliseconds(kStopTimeout))) > 0;
  if (!in_time) kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  return status;
}

Result<ProgramRun> run_program(const ChildOptions& options) {
  const TimePoint begin = now();
  Result<Child> child = Child::start(options);
  if (!child) return tl::unexpected(child.error());
  ProgramRun run;
  std::array<char, 4096> block;
  for (;;) {
    const ssize_t got = read(child->out_fd(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    if (run.output.size() < kAnswerBytes) run.output.append(block.data(), static_cast<size_t>(got));
  }
  run.wait_status = child->finish();
  run.took = now() - begin;
  return run;
}

}  // namespace capsule::bench
