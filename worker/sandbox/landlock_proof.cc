#include "worker/sandbox/landlock_proof.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>

#include "worker/sandbox/landlock.h"
#include "worker/sandbox/privileges.h"

namespace capsule::sandbox::landlock {
namespace {

constexpr const char* kOwnFile = "/proc/self/comm";  // every process may read, write and truncate its own
constexpr const char* kDevice = "/dev/null";         // the one place of the ruleset, to be read
constexpr int kScopesHold = 1 << 3;                  // of the child's exit status, beside the version

bool refused(long result) { return result < 0 && errno == EACCES; }

UniqueFd opened(const char* path, int flags) { return UniqueFd(open(path, flags | O_CLOEXEC)); }

// A port that no one listens on, of this machine only. Not blocking: a packet filter may swallow the attempt.
UniqueFd tcp_socket() { return UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }
sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

long bind_tcp(const UniqueFd& socket) {
  const sockaddr_in address = loopback(0);
  return bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

long connect_tcp(const UniqueFd& socket) {
  const sockaddr_in address = loopback(1);
  return connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

// An abstract socket that was there before, under a name the kernel chose.
struct Listener {
  UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  socklen_t size = sizeof(sa_family_t);

  Listener() {
    address.sun_family = AF_UNIX;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (bind(socket.get(), plain, size) != 0 || listen(socket.get(), 1) != 0) return;
    size = sizeof address;
    getsockname(socket.get(), plain, &size);
  }
  bool can_connect() const {
    const UniqueFd other(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    return connect(other.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0;
  }
};

// What could be done before; an act that was impossible anyway proves nothing.
struct Before {
  bool truncates = truncate(kOwnFile, 0) == 0;
  bool binds = bind_tcp(tcp_socket()) == 0;
  bool signals = kill(getppid(), 0) == 0;
  Listener listener;
  bool connects = listener.can_connect();
  std::string place = "/tmp/capsule-landlock-" + std::to_string(getpid());
  bool makes = mkdir(place.c_str(), 0700) == 0 && rmdir(place.c_str()) == 0;
};

bool cannot_execute() {
  constexpr int kRefused = 1;
  const pid_t child = fork();
  if (child == 0) {
    char name[] = "capsule-worker", unknown[] = "--nothing";  // should it run, it does nothing but say how it is used
    char* words[] = {name, unknown, nullptr};
    execv("/proc/self/exe", words);
    _exit(errno == EACCES ? kRefused : 0);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == kRefused;
}

// Version 1. Where there is no place to make something in, that alone is not tried.
bool holds_files(const Before& before) {
  if (opened(kOwnFile, O_RDONLY) || errno != EACCES) return false;
  if (opened(kOwnFile, O_WRONLY) || errno != EACCES) return false;
  if (opened("/", O_RDONLY | O_DIRECTORY) || errno != EACCES) return false;
  if (!opened(kDevice, O_RDONLY)) return false;
  const long made = mkdir(before.place.c_str(), 0700);
  if (made == 0) rmdir(before.place.c_str());
  return (!before.makes || made < 0) && cannot_execute();
}

bool holds_tcp(const Before& before) {
  return before.binds && refused(bind_tcp(tcp_socket())) && refused(connect_tcp(tcp_socket()));
}

bool holds_device_controls() {
  int ignored = 0;
  return refused(ioctl(opened(kDevice, O_RDONLY).get(), TIOCGPGRP, &ignored));  // else "not a terminal"
}

bool holds_scopes(const Before& before) {
  const bool signal_refused = kill(getppid(), 0) != 0 && errno == EPERM;
  return before.signals && signal_refused && before.connects && !before.listener.can_connect() && errno == EPERM;
}

// Another thread of this process, from before: it must stay in reach (the second erratum, of early versions 6).
class OtherThread {
 public:
  OtherThread() {
    pthread_t thread{};
    if (pthread_create(&thread, nullptr, wait_for_ever, this) != 0) return;
    while (id_ == 0) sched_yield();
  }
  bool is_in_reach() const { return id_ > 0 && tgkill(getpid(), id_, 0) == 0; }

 private:
  [[noreturn]] static void* wait_for_ever(void* self) {
    static_cast<OtherThread*>(self)->id_ = gettid();
    for (;;) pause();
  }
  std::atomic<pid_t> id_ = 0;
};

// The newest version of which a ruleset can be made, entered.
int enter_newest(int claimed) {
  for (int abi = std::min(claimed, kNewestUsed); abi > 0; --abi) {
    const auto ruleset =
        make_ruleset({{kDevice, LANDLOCK_ACCESS_FS_READ_FILE}}, {}, Scopes::kSignalsAndAbstractSockets, abi);
    if (ruleset) return restrict_self(ruleset->get()) ? abi : 0;
  }
  return 0;
}

// The child's whole life; its exit status. What version 2 adds is a permission: without it everything is refused as
// before, so that a kernel that knows its name holds it.
int try_all(int claimed) {
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) close(fd);  // nothing that runs here has a say
  const Before before;
  const OtherThread thread;
  if (!no_new_privileges()) return 0;
  const int newest = enter_newest(claimed);
  int held = 0;
  if (newest >= 1 && holds_files(before)) held = std::min(newest, 2);
  if (held == 2 && newest >= 3 && before.truncates && refused(truncate(kOwnFile, 0))) held = 3;
  if (held == 3 && newest >= 4 && holds_tcp(before)) held = 4;
  if (held == 4 && newest >= 5 && holds_device_controls()) held = 5;
  if (held == 5 && newest >= 6 && holds_scopes(before)) held = 6;
  return held == 6 && thread.is_in_reach() ? held | kScopesHold : held;
}

}  // namespace

Proof prove() {
  Proof proof{.claimed = claimed_abi()};
  if (proof.claimed < 1) return proof;
  const pid_t child = fork();
  if (child == 0) _exit(try_all(proof.claimed));
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return proof;
  proof.abi = WEXITSTATUS(status) & ~kScopesHold;
  proof.can_scope = (WEXITSTATUS(status) & kScopesHold) != 0;
  return proof;
}

}  // namespace capsule::sandbox::landlock
