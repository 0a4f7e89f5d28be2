#include "worker/keeper.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/posix_io.h"
#include "worker/sandbox/descriptors.h"
#include "worker/sandbox/kill_guard.h"
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
  Keeper(RawChannel channel, UniqueFd child_events, sandbox::CapsuleLayers capsule, const KeeperOptions& options)
      : channel_(std::move(channel)),
        child_events_(std::move(child_events)),
        capsule_(std::move(capsule)),
        options_(options),
        guard_(options.capsule.namespaces, [this] { catch_up(); }) {}

  [[noreturn]] void serve() {
    for (;;) {
      if (!channel_.has_buffered()) wait();
      reap(WNOHANG);
      if (readable_ || channel_.has_buffered()) take_request();
    }
  }

 private:
  void wait() {
    polled_.clear();
    polled_.push_back({channel_.fd(), POLLIN, 0});
    polled_.push_back({child_events_.get(), POLLIN, 0});
    for (const auto& [pid, handover] : arriving_) polled_.push_back({handover.get(), POLLIN, 0});
    guard_.add_to(polled_);
    if (poll(polled_.data(), polled_.size(), -1) < 0) return;
    readable_ = polled_[0].revents != 0;
    if (polled_[1].revents != 0) {
      signalfd_siginfo ignored;
      if (read(child_events_.get(), &ignored, sizeof ignored) < 0) return;  // waitpid tells the rest
    }
    guard_.answer(polled_);
    std::erase_if(arriving_, [this](auto& arriving) { return take_listener(arriving.second); });
  }

  void catch_up() {
    for (;;) {
      pollfd one{channel_.fd(), POLLIN, 0};
      if (!channel_.has_buffered() && poll(&one, 1, 0) <= 0) return;
      take_request();
    }
  }

  // True when there is nothing more to wait for: it came, or the worker ended without one.
  bool take_listener(const UniqueFd& handover) {
    char byte = 0;
    std::vector<UniqueFd> fds;
    const auto got = receive_with_fds(handover.get(), std::span<char>(&byte, 1), fds, MSG_DONTWAIT);
    if (!got) return errno != EAGAIN && errno != EINTR;
    for (UniqueFd& listener : fds) guard_.watch(std::move(listener));
    return true;
  }

  // Workers are reported; anything else is an orphan that user code left to pid 1.
  void reap(int flags) {
    for (;;) {
      int status = 0;
      rusage usage{};
      const pid_t pid = wait4(-1, &status, flags | __WALL, &usage);
      if (pid <= 0) return;
      guard_.unprotect(pid);
      if (workers_.erase(pid) == 0) continue;
      Exited report = make_report(pid, status, usage);
      report.self_sent_signal = guard_.forget(pid);
      if (!channel_.send(report)) die();
    }
  }

  void take_request() {
    readable_ = false;
    auto received = channel_.receive();
    if (!received || !*received) die();
    RawChannel::Received& request = **received;
    if (const auto* branch = std::get_if<Branch>(&request.message)) return make_worker(*branch, request.fds);
    if (const auto* expect = std::get_if<Expect>(&request.message)) {
      using May = sandbox::BranchGuard::May;
      return guard_.branches().expect(static_cast<pid_t>(expect->pid), expect->enter ? May::kCopyAndEnter : May::kCopy);
    }
    if (const auto* snapshot = std::get_if<Snapshot>(&request.message)) return keep(*snapshot);
    if (const auto* sweep = std::get_if<Sweep>(&request.message)) return clear(*sweep);
    if (std::holds_alternative<Shutdown>(request.message)) die();
    if (std::holds_alternative<Mapped>(request.message)) return;  // without a user namespace nobody waited for it
    if (!channel_.send(ErrorReply{0, "invalid", "a keeper does not take this message"})) die();
  }

  // A worker says that this is its copy. What it is: a child of ours that no one has claimed.
  void keep(const Snapshot& snapshot) {
    Branched reply;
    reply.re = snapshot.id;
    reply.pid = snapshot.pid;
    const auto pid = static_cast<pid_t>(snapshot.pid);
    siginfo_t info{};
    const bool is_ours = pid > 1 && !workers_.contains(pid) &&
                         waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
                         info.si_pid == 0;
    const UniqueFd pidfd(is_ours ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : -1);
    if (pidfd) {
      workers_.insert(pid);
      guard_.protect(pid);
      kill(pid, SIGCONT);  // a sweep that came while it was being made has stopped it, and did not see it yet
    } else {
      reply.failure = "there is no such copy";
    }
    const int fd = pidfd.get();
    if (!channel_.send(reply, pidfd ? std::span<const int>(&fd, 1) : std::span<const int>())) die();
  }

  // How a worker ended is told before the sweep is acknowledged. In a pid namespace without snapshots everything is our
  // child by now, or will be, and about to end; else what the sweep ended is there to be reaped.
  void clear(const Sweep& sweep) {
    const auto& spared = guard_.protected_pids();
    sandbox::sweep(options_.capsule.namespaces, spared);
    reap(parked::has(options_.capsule.namespaces, CLONE_NEWPID) && spared.empty() ? 0 : WNOHANG);
    if (const auto woken = static_cast<pid_t>(sweep.wake); woken != 0) {
      guard_.unprotect(woken);
      guard_.remember(woken);
    }
    if (!channel_.send(Ack{sweep.id, {}})) die();
  }

  void make_worker(const Branch& branch, std::vector<UniqueFd>& fds) {
    const TimePoint started = now();
    Branched reply;
    reply.re = branch.id;
    auto handover = make_stream_socketpair();
    if (fds.size() != 1 || !handover) {
      reply.failure = handover ? "branch needs exactly one descriptor, the link" : handover.error().message;
      if (!channel_.send(reply)) die();
      return;
    }
    auto child = parked::branch_worker();
    if (child && child->pid == 0) become_worker(branch, std::move(fds[0]), std::move(handover->second));
    if (child) {
      workers_.insert(child->pid);
      guard_.remember(child->pid);
      arriving_[child->pid] = std::move(handover->first);
      reply.pid = child->pid;
    } else {
      reply.failure = child.error().message;
    }
    reply.took_us = static_cast<uint64_t>(to_microseconds(now() - started));
    const int pidfd = child ? child->pidfd.get() : -1;
    const auto fds_to_send = child ? std::span<const int>(&pidfd, 1) : std::span<const int>();
    if (!channel_.send(reply, fds_to_send)) die();
  }

  // All that this process holds is closed, whatever owned it: the objects are never destroyed in the child.
  [[noreturn]] void become_worker(const Branch& branch, UniqueFd link, UniqueFd handover) {
    sandbox::close_all_but({link.get(), handover.get(), capsule_.ruleset.get()});
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    prctl(PR_SET_NAME, branch.name.c_str());
    WorkerOptions worker;
    worker.recipe = options_.recipe;
    worker.sandbox = {options_.capsule.namespaces, capsule_.has_root, capsule_.ruleset.get(), options_.workspace};
    worker.handover = std::move(handover);
    worker.profile = options_.profile;
    worker.heartbeat_interval = options_.heartbeat_interval;
    worker.rehearsal = branch.awaited ? interpreter::Rehearsal::kSkip : interpreter::Rehearsal::kDo;
    serve_as_worker(std::move(link), std::move(worker));
  }

  [[noreturn]] void die() {
    sandbox::sweep(options_.capsule.namespaces);
    _exit(0);
  }

  RawChannel channel_;
  UniqueFd child_events_;
  sandbox::CapsuleLayers capsule_;
  KeeperOptions options_;
  sandbox::KillGuard guard_;
  std::set<pid_t> workers_;
  std::map<pid_t, UniqueFd> arriving_;  // by worker: the socket its filter's listener will come through
  std::vector<pollfd> polled_;
  bool readable_ = false;
};

UniqueFd watch_children() {
  sigset_t all, child;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  return UniqueFd(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
}

// By writing to files that the manager has opened; this process has one thread, which is what it takes.
Layer enter_control_groups(const std::vector<UniqueFd>& doors) {
  for (const UniqueFd& door : doors) {
    if (write(door.get(), "0", 1) != 1)
      return {"cgroup", "off", system_failure("enter a control group").value().message};
  }
  return {"cgroup", "on", {}};
}

// The manager, which is root, writes the id maps; until then this process is nobody in its own namespace.
Status wait_until_mapped(RawChannel& channel, std::optional<Layer>& cgroup) {
  auto received = channel.receive();
  if (!received) return tl::unexpected<Error>(received.error());
  if (!*received) return failure(Errc::kClosed, "the manager closed the link");
  const auto* mapped = std::get_if<Mapped>(&(*received)->message);
  if (mapped == nullptr) return failure(Errc::kInvalid, "a keeper waits for `mapped` first");
  if (!(*received)->fds.empty()) cgroup = enter_control_groups((*received)->fds);
  if (!mapped->failure.empty()) return failure(Errc::kUnavailable, mapped->failure);
  return {};
}

Hello make_hello(const KeeperOptions& options) {
  Hello hello;
  hello.version = kProtocolVersion;
  hello.role = "keeper";
  hello.features = own_features();
  hello.profile = options.profile;
  return hello;
}

}  // namespace

void serve_as_keeper(UniqueFd link, const KeeperOptions& options) {
  const TimePoint started = now();
  prctl(PR_SET_NAME, options.name.c_str());
  UniqueFd child_events = watch_children();
  RawChannel channel(std::move(link));
  Hello hello = make_hello(options);
  if (!child_events) hello.failure = "signalfd failed";
  std::optional<Layer> cgroup;
  if (options.capsule.id_maps == sandbox::IdMaps::kByManager) {
    if (const Status mapped = wait_until_mapped(channel, cgroup); !mapped) hello.failure = mapped.error().message;
  }
  sandbox::CapsuleLayers capsule;
  if (hello.failure.empty()) {
    capsule = sandbox::enter_capsule(*options.recipe, options.capsule);
    hello.layers = capsule.applied.layers;
    hello.timings_us = capsule.applied.timings_us;
    if (cgroup) hello.layers.push_back(*cgroup);
  }
  // After the last change of user, which clears it. Without a pid namespace a killed keeper would leave its processes
  // behind: there the end of the link has to do.
  if (parked::has(options.capsule.namespaces, CLONE_NEWPID)) prctl(PR_SET_PDEATHSIG, SIGKILL);
  hello.timings_us["capsule_setup"] = static_cast<uint64_t>(to_microseconds(now() - started));
  UniqueFd workspace = sandbox::open_workspace(capsule, options.workspace);
  std::vector<int> fds;  // the workspace first
  for (const UniqueFd* fd : {&workspace, &capsule.proxy}) {
    if (*fd) fds.push_back(fd->get());
  }
  if (!channel.send(hello, fds) || !hello.failure.empty()) _exit(kFailedStatus);
  capsule.proxy.reset();
  workspace.reset();
  Keeper(std::move(channel), std::move(child_events), std::move(capsule), options).serve();
}

}  // namespace capsule
