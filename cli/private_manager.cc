#include "cli/private_manager.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "base/posix_io.h"
#include "cli/manager_binary.h"

namespace capsule::cli {
namespace {

constexpr milliseconds kRetryInterval{50};
constexpr seconds kReapTimeout{2};
constexpr int kExecFailed = 127;
constexpr int kReadyFd = 3;  // in the manager: the first one after the standard descriptors

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status make_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return system_failure("mkdir " + path);
}

// O_NOFOLLOW: the name is predictable, and the directory may be one that others can write to.
Result<UniqueFd> open_log(const std::string& path) {
  UniqueFd log(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!log) return system_failure("open " + path);
  struct stat info {};
  if (fstat(log.get(), &info) != 0) return system_failure("fstat " + path);
  if (!S_ISREG(info.st_mode)) return failure(Errc::kRefused, path + " is not a regular file");
  if (static_cast<size_t>(info.st_size) > kPrivateLogBytes && ftruncate(log.get(), 0) != 0) {
    return system_failure("truncate " + path);
  }
  return log;
}

std::string log_tail(const std::string& path, off_t from) {
  const UniqueFd log(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!log) return {};
  const off_t end = lseek(log.get(), 0, SEEK_END);
  const off_t start = std::max(from, end - static_cast<off_t>(kPrivateLogTailBytes));
  std::string text(kPrivateLogTailBytes, '\0');
  const ssize_t got = pread(log.get(), text.data(), text.size(), start);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

// Everything the child needs, made before fork(): between fork and exec it only makes system calls.
struct Spawn {
  std::string program;
  std::vector<std::string> arguments;
  int null_fd = -1, log_fd = -1, ready_fd = -1;
};

[[noreturn]] void become_manager(const Spawn& spawn, char* const* argv) {
  setsid();
  // Ignored signals and the mask survive exec; the manager starts from the defaults.
  signal(SIGPIPE, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  dup2(spawn.null_fd, 0);
  dup2(spawn.log_fd, 1);
  dup2(spawn.log_fd, 2);
  if (spawn.ready_fd == kReadyFd) {
    fcntl(kReadyFd, F_SETFD, 0);
  } else {
    dup2(spawn.ready_fd, kReadyFd);
  }
  // What the caller left open (a pipe of its shell, a lock) must not live as long as the manager.
  close_range(kReadyFd + 1, ~0U, 0);
  if (chdir("/") == 0) execv(spawn.program.c_str(), argv);
  _exit(kExecFailed);
}

Result<pid_t> spawn_manager(Spawn& spawn) {
  std::vector<char*> argv;
  for (std::string& argument : spawn.arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return system_failure("fork");
  if (pid == 0) become_manager(spawn, argv.data());
  return pid;
}

// One line, or what there was of it at end of file or at the deadline.
std::string read_line(int fd, TimePoint deadline) {
  std::string line;
  while (line.size() < 64 && !line.ends_with('\n')) {
    const int64_t left_ms = to_milliseconds(deadline - now());
    pollfd ready{fd, POLLIN, 0};
    if (left_ms <= 0) return line;
    if (poll(&ready, 1, static_cast<int>(left_ms)) <= 0) continue;
    char c = 0;
    const ssize_t got = read(fd, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return line;
    line += c;
  }
  return line;
}

Result<Client> connect_with_patience(const SocketCandidate& where, TimePoint deadline) {
  for (;;) {
    Result<Client> client = Client::connect(where);
    if (client || client.error().code != Errc::kUnavailable || now() >= deadline) return client;
    poll(nullptr, 0, static_cast<int>(kRetryInterval.count()));
  }
}

// A manager that came second, or failed, ends by itself; it should not stay behind as a zombie of ours.
void reap(pid_t pid) {
  const TimePoint deadline = now() + kReapTimeout;
  while (waitpid(pid, nullptr, WNOHANG) == 0 && now() < deadline) {
    poll(nullptr, 0, static_cast<int>(kRetryInterval.count()));
  }
}

Error start_failure(const std::string& program, const std::string& log_path, off_t log_start) {
  std::string tail = log_tail(log_path, log_start);
  while (tail.ends_with('\n')) tail.pop_back();
  std::string text = "the private manager did not start (" + program + ")";
  text += tail.empty() ? "; its log " + log_path + " says nothing" : "; its log " + log_path + " ends with:\n" + tail;
  return {Errc::kUnavailable, text};
}

}  // namespace

Status prepare_socket_directory(const SocketCandidate& where) {
  const std::string directory = directory_of(where.path);
  if (auto made = make_directory(directory); !made) return made;
  if (where.owner != SocketOwner::kUser) return {};
  struct stat info {};
  if (lstat(directory.c_str(), &info) != 0) return system_failure("lstat " + directory);
  if (!S_ISDIR(info.st_mode)) return failure(Errc::kRefused, directory + " is not a directory");
  if (info.st_uid != geteuid()) return failure(Errc::kRefused, directory + " belongs to another user");
  if ((info.st_mode & 077) != 0) {
    return failure(Errc::kRefused, directory + " is open to other users; close it with: chmod 700 " + directory);
  }
  return {};
}

Result<PrivateManager> start_private_manager(const SocketCandidate& asked) {
  const TimePoint deadline = now() + kPrivateStartTimeout;
  std::error_code ignored;
  const SocketCandidate where{std::filesystem::absolute(asked.path, ignored).string(), asked.owner};
  const Result<std::string> program = find_manager_binary();
  if (!program) return tl::unexpected(program.error());
  if (auto prepared = prepare_socket_directory(where); !prepared) return tl::unexpected(prepared.error());
  const std::string log_path = where.path + ".log";
  const Result<UniqueFd> log = open_log(log_path);
  if (!log) return tl::unexpected(log.error());
  const off_t log_start = lseek(log->get(), 0, SEEK_END);
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return system_failure("open /dev/null");
  Result<FdPair> ready = make_pipe();
  if (!ready) return tl::unexpected(ready.error());

  Spawn spawn{
      .program = *program,
      .arguments = {"capsule-manager", "--private", "--socket", where.path, "--ready-fd", std::to_string(kReadyFd)},
      .null_fd = null.get(),
      .log_fd = log->get(),
      .ready_fd = ready->second.get()};
  const Result<pid_t> pid = spawn_manager(spawn);
  if (!pid) return tl::unexpected(pid.error());
  ready->second.reset();

  const std::string line = read_line(ready->first.get(), deadline);
  const bool is_ready = line == "ready\n";
  // Ours ended without a word, or said "already": another may be on its way up. One that is not gets no patience.
  const TimePoint patience = is_ready || line == "already\n" ? deadline : now() + seconds(1);
  Result<Client> client = connect_with_patience(where, patience);
  if (!is_ready) reap(*pid);
  if (!client && client.error().code == Errc::kUnavailable) {
    return tl::unexpected(start_failure(*program, log_path, log_start));
  }
  if (!client) return tl::unexpected(client.error());
  return PrivateManager{is_ready ? *pid : 0, std::move(*client)};
}

}  // namespace capsule::cli
