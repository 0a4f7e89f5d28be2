#include "worker/keeper.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <set>

#include "worker/sandbox/sweep.h"
#include "worker/worker.h"

namespace capsule {
namespace {

constexpr int kFailedStatus = 71;  // EX_OSERR

uint64_t to_us(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

Exited make_report(pid_t pid, int status, const rusage& usage) {
  Exited exited;
  exited.pid = pid;
  exited.status = status;
  exited.user_us = to_us(usage.ru_utime);
  exited.system_us = to_us(usage.ru_stime);
  exited.max_rss_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  exited.minor_faults = static_cast<uint64_t>(usage.ru_minflt);
  exited.major_faults = static_cast<uint64_t>(usage.ru_majflt);
  return exited;
}

class Keeper {
 public:
  Keeper(RawChannel channel, UniqueFd child_events, const KeeperOptions& options)
      : channel_(std::move(channel)), child_events_(std::move(child_events)), options_(options) {}

  [[noreturn]] void serve() {
    for (;;) {
      if (!channel_.has_buffered()) wait();
      reap(WNOHANG);
      if (readable_ || channel_.has_buffered()) take_request();
    }
  }

 private:
  void wait() {
    pollfd ready[2] = {{channel_.fd(), POLLIN, 0}, {child_events_.get(), POLLIN, 0}};
    if (poll(ready, 2, -1) < 0) return;
    readable_ = ready[0].revents != 0;
    if (ready[1].revents != 0) {
      signalfd_siginfo ignored;
      if (read(child_events_.get(), &ignored, sizeof ignored) < 0) return;  // waitpid tells the rest
    }
  }

  // Workers are reported; anything else is an orphan that user code left to pid 1.
  void reap(int flags) {
    for (;;) {
      int status = 0;
      rusage usage{};
      const pid_t pid = wait4(-1, &status, flags | __WALL, &usage);
      if (pid <= 0) return;
      if (workers_.erase(pid) == 0) continue;
      if (!channel_.send(make_report(pid, status, usage))) die();
    }
  }

  void take_request() {
    readable_ = false;
    auto received = channel_.receive();
    if (!received || !*received) die();
    RawChannel::Received& request = **received;
    if (const auto* branch = std::get_if<Branch>(&request.message)) return make_worker(*branch, request.fds);
    if (const auto* sweep = std::get_if<Sweep>(&request.message)) {
      sandbox::sweep(options_.containment);
      // How a worker ended is told before the sweep is acknowledged. In a pid namespace everything is our child by now,
      // or will be, and about to end; elsewhere only what has ended already is waited for.
      reap(options_.containment == parked::Containment::kNamespaces ? 0 : WNOHANG);
      if (!channel_.send(Ack{sweep->id, {}})) die();
      return;
    }
    if (std::holds_alternative<Shutdown>(request.message)) die();
    if (!channel_.send(ErrorReply{0, "invalid", "a keeper does not take this message"})) die();
  }

  void make_worker(const Branch& branch, std::vector<UniqueFd>& fds) {
    const TimePoint started = now();
    Branched reply;
    reply.re = branch.id;
    if (fds.size() != 1) {
      reply.failure = "branch needs exactly one descriptor, the link";
      if (!channel_.send(reply)) die();
      return;
    }
    auto child = parked::branch_worker();
    if (child && child->pid == 0) become_worker(branch, std::move(fds[0]));
    if (child) {
      workers_.insert(child->pid);
      reply.pid = child->pid;
    } else {
      reply.failure = child.error().message;
    }
    reply.took_us = static_cast<uint64_t>(to_microseconds(now() - started));
    const int pidfd = child ? child->pidfd.get() : -1;
    const auto fds_to_send = child ? std::span<const int>(&pidfd, 1) : std::span<const int>();
    if (!channel_.send(reply, fds_to_send)) die();
  }

  [[noreturn]] void become_worker(const Branch& branch, UniqueFd link) {
    channel_.close();
    child_events_.reset();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    prctl(PR_SET_NAME, branch.name.c_str());
    serve_as_worker(std::move(link),
                    WorkerOptions{options_.profile, options_.heartbeat_interval, options_.policy.workspace});
  }

  [[noreturn]] void die() {
    sandbox::sweep(options_.containment);
    _exit(0);
  }

  RawChannel channel_;
  UniqueFd child_events_;
  KeeperOptions options_;
  std::set<pid_t> workers_;
  int readable_ = 0;
};

UniqueFd watch_children() {
  sigset_t all, child;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  return UniqueFd(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

void serve_as_keeper(UniqueFd link, const KeeperOptions& options) {
  const TimePoint started = now();
  prctl(PR_SET_NAME, options.name.c_str());
  // Without a pid namespace a killed keeper would leave its processes behind: there the end of the link has to do.
  if (options.containment == parked::Containment::kNamespaces) prctl(PR_SET_PDEATHSIG, SIGKILL);
  UniqueFd child_events = watch_children();
  RawChannel channel(std::move(link));
  Hello hello;
  hello.version = kProtocolVersion;
  hello.role = "keeper";
  hello.features = own_features();
  hello.profile = options.profile;
  hello.layers = sandbox::enter_capsule(options.containment, options.policy);
  hello.timings_us["capsule_setup"] = static_cast<uint64_t>(to_microseconds(now() - started));
  if (!child_events) hello.failure = "signalfd failed";
  if (!channel.send(hello) || !child_events) _exit(kFailedStatus);
  Keeper(std::move(channel), std::move(child_events), options).serve();
}

}  // namespace capsule
