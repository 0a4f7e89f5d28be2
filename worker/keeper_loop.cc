#include "worker/keeper_loop.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/posix_io.h"
#include "worker/sandbox/descriptors.h"
#include "worker/sandbox/kill_guard.h"
#include "worker/sandbox/signals.h"
#include "worker/sandbox/sweep.h"
#include "worker/worker.h"

namespace capsule {
namespace {

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

struct Forked {
  parked::Child child;
  UniqueFd handover;  // its filter's listener will come through it
  RawChannel orders;  // it waits for the request to be a worker
};

class Keeper {
 public:
  Keeper(KeeperParts parts, const KeeperOptions& options)
      : channel_(std::move(parts.channel)),
        relay_(std::move(parts.relay)),
        child_events_(std::move(parts.child_events)),
        capsule_(std::move(parts.capsule)),
        places_(std::move(parts.places)),
        options_(options),
        signals_(options.capsule.namespaces),
        guard_(signals_, [this] { catch_up(); }) {}

  [[noreturn]] void serve() {
    if (options_.forks_ahead) fork_ahead();
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
    if (relay_) polled_.push_back({relay_.get(), POLLIN, 0});
    for (const auto& [pid, handover] : arriving_) polled_.push_back({handover.get(), POLLIN, 0});
    for (const auto& [pid, pidfd] : guests_) polled_.push_back({pidfd.get(), POLLIN, 0});
    guard_.add_to(polled_);
    if (poll(polled_.data(), polled_.size(), -1) < 0) return;
    readable_ = polled_[0].revents != 0;
    if (polled_[1].revents != 0) {
      signalfd_siginfo ignored;
      if (read(child_events_.get(), &ignored, sizeof ignored) < 0) return;  // waitpid tells the rest
    }
    if (relay_ && polled_[2].revents != 0) answer_relay();
    forget_dead_guests();
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

  // A question of one of our processes, by way of the outermost keeper, without which there is no capsule.
  void answer_relay() {
    sandbox::SignalCall call;
    const ssize_t got = recv(relay_.get(), &call, sizeof call, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got != ssize_t{sizeof call}) die();
    const sandbox::SignalAnswer answer = signals_.perform(call);
    if (send(relay_.get(), &answer, sizeof answer, MSG_NOSIGNAL) != ssize_t{sizeof answer}) die();
  }

  void forget_dead_guests() {
    for (const pollfd& one : polled_) {
      if (one.revents == 0) continue;
      const auto dead =
          std::find_if(guests_.begin(), guests_.end(), [&](const auto& guest) { return guest.second.get() == one.fd; });
      if (dead == guests_.end()) continue;
      signals_.unprotect(dead->first);
      signals_.forget(dead->first);
      guests_.erase(dead);
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
      signals_.unprotect(pid);
      guard_.forget(pid);
      nested_.erase(pid);
      if (workers_.erase(pid) == 0) continue;
      Exited report = make_report(pid, status, usage);
      report.self_sent_signal = signals_.forget(pid);
      if (!channel_.send(report)) die();
    }
  }

  void take_request() {
    readable_ = false;
    auto received = channel_.receive();
    if (!received || !*received) die();
    RawChannel::Received& request = **received;
    if (const auto* branch = std::get_if<Branch>(&request.message)) {
      return branch->nested ? make_nested(*branch, request.fds) : make_worker(*branch, request.fds);
    }
    if (const auto* expect = std::get_if<Expect>(&request.message)) {
      using May = sandbox::BranchGuard::May;
      const auto pid = static_cast<pid_t>(expect->pid);
      return expect->withdrawn ? guard_.withdraw(pid)
                               : guard_.expect(pid, expect->nested ? May::kCopyIntoNested : May::kCopy);
    }
    if (std::holds_alternative<Nested>(request.message)) return add_nested(request.fds);
    if (const auto* snapshot = std::get_if<Snapshot>(&request.message)) return keep(*snapshot);
    if (const auto* sweep = std::get_if<Sweep>(&request.message)) return clear(*sweep);
    if (const auto* ping = std::get_if<Ping>(&request.message)) return compare_files(*ping);
    if (std::holds_alternative<Shutdown>(request.message)) die();
    if (std::holds_alternative<Mapped>(request.message)) return;  // without a user namespace nobody waited for it
    if (!channel_.send(ErrorReply{0, "invalid", "a keeper does not take this message"})) die();
  }

  void compare_files(const Ping& ping) {
    if (!channel_.send(Ack{ping.id, sandbox::are_current(places_) ? "" : "files have changed"})) die();
  }

  void add_nested(std::vector<UniqueFd>& fds) {
    struct stat info {};
    if (fds.size() != 2 || fstat(fds[1].get(), &info) != 0) die();
    guard_.add_nested(std::move(fds[0]), info.st_ino);
  }

  // What a worker says is its copy: a child of ours that no one has claimed. In a capsule inside another one it may
  // also be the child of a keeper further out, which looks at that.
  void keep(const Snapshot& snapshot) {
    Branched reply;
    reply.re = snapshot.id;
    reply.pid = snapshot.pid;
    const auto pid = static_cast<pid_t>(snapshot.pid);
    siginfo_t info{};
    const bool may_be = pid > 1 && !workers_.contains(pid) && !nested_.contains(pid) && !guests_.contains(pid);
    const bool is_child = waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
    const bool is_alive = is_child ? info.si_pid == 0 : static_cast<bool>(relay_);
    UniqueFd pidfd(may_be && is_alive ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : -1);
    const int fd = pidfd.get();
    if (!pidfd) {
      reply.failure = "there is no such copy";
    } else if (is_child) {
      workers_.insert(pid);
    }
    if (pidfd && relay_ && guests_.empty() && workers_.empty()) sandbox::end_strays(pid);
    if (pidfd) {
      signals_.protect(pid);
      signals_.remember(pid);
      if (is_child) guard_.keep(pid);
      kill(pid, SIGCONT);  // a sweep that came while it was being made has stopped it, and did not see it yet
    }
    if (!channel_.send(reply, pidfd ? std::span<const int>(&fd, 1) : std::span<const int>())) die();
    if (pidfd && !is_child) guests_[pid] = std::move(pidfd);
  }

  // How a worker ended is told before the sweep is acknowledged. In a pid namespace without snapshots everything is our
  // child by now, or will be, and about to end; else what the sweep ended is there to be reaped.
  void clear(const Sweep& sweep) {
    sandbox::Sweeping how;
    how.spared = signals_.protected_pids();
    how.is_inside = static_cast<bool>(relay_);
    how.has_nested = !nested_.empty();
    for (const auto& [pid, pidfd] : guests_) {
      if (!how.spared.contains(pid)) how.guests[pid] = pidfd.get();
    }
    sandbox::sweep(options_.capsule.namespaces, how);
    reap(parked::has(options_.capsule.namespaces, CLONE_NEWPID) && how.spared.empty() ? 0 : WNOHANG);
    if (const auto woken = static_cast<pid_t>(sweep.wake); woken != 0) {
      signals_.unprotect(woken);
      signals_.remember(woken);
    }
    if (!channel_.send(Ack{sweep.id, {}})) die();
  }

  void make_nested(const Branch& branch, std::vector<UniqueFd>& fds) {
    const TimePoint started = now();
    Branched reply;
    reply.re = branch.id;
    constexpr uint64_t kNeeded = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS;
    Result<parked::Child> child = failure(Errc::kInvalid, "a capsule inside needs its link and its relay");
    if ((options_.capsule.namespaces & kNeeded) != kNeeded || !capsule_.has_root) {
      child = failure(Errc::kUnavailable, "a capsule inside another needs user, pid and mount namespaces");
    } else if (fds.size() >= 2) {
      child = parked::branch_nested(options_.capsule.namespaces);
    }
    if (child && child->pid == 0) become_nested(branch, fds);
    reply.took_us = static_cast<uint64_t>(to_microseconds(now() - started));
    const int pidfd = child ? child->pidfd.get() : -1;
    if (child) {
      nested_.insert(child->pid);
      signals_.protect(child->pid);
      signals_.expect_nested();
      reply.pid = child->pid;
    } else {
      reply.failure = child.error().message;
    }
    if (!channel_.send(reply, child ? std::span<const int>(&pidfd, 1) : std::span<const int>())) die();
  }

  // See become_worker().
  [[noreturn]] void become_nested(const Branch& branch, std::vector<UniqueFd>& fds) {
    std::vector<int> kept{capsule_.ruleset.get()};
    for (const UniqueFd& fd : fds) kept.push_back(fd.get());
    sandbox::close_all_but(std::move(kept));
    KeeperOptions options = options_;
    options.name = branch.name;
    options.forks_ahead = false;  // its workers are copies
    NestedStart start{std::move(fds[0]), std::move(fds[1]), std::move(capsule_.ruleset), {}};
    for (size_t i = 2; i < fds.size(); ++i) start.doors.push_back(std::move(fds[i]));
    serve_as_nested_keeper(std::move(start), options);
  }

  // The first worker, which waits here for the request to be one: the fork, and what the interpreter does after it,
  // take longer than the rest of a start. Without one a request forks for itself.
  void fork_ahead() {
    auto worker = fork_worker();
    if (worker) ahead_ = std::move(*worker);
  }

  void make_worker(const Branch& branch, std::vector<UniqueFd>& fds) {
    const TimePoint started = now();
    Branched reply;
    reply.re = branch.id;
    Result<Forked> worker = failure(Errc::kInvalid, "branch needs exactly one descriptor, the link");
    if (fds.size() == 1) worker = order_worker(branch, fds[0].get());
    if (worker) {
      workers_.insert(worker->child.pid);
      signals_.remember(worker->child.pid);
      arriving_[worker->child.pid] = std::move(worker->handover);
      reply.pid = worker->child.pid;
    } else {
      reply.failure = worker.error().message;
    }
    reply.took_us = static_cast<uint64_t>(to_microseconds(now() - started));
    const int pidfd = worker ? worker->child.pidfd.get() : -1;
    if (!channel_.send(reply, worker ? std::span<const int>(&pidfd, 1) : std::span<const int>())) die();
  }

  // The one that was forked ahead may have died since: only this tells.
  Result<Forked> order_worker(const Branch& branch, int link) {
    if (ahead_) {
      Forked waiting = std::move(*std::exchange(ahead_, std::nullopt));
      if (waiting.orders.send(branch, std::span<const int>(&link, 1))) return waiting;
    }
    return fork_worker().and_then([&](Forked forked) -> Result<Forked> {
      if (auto sent = forked.orders.send(branch, std::span<const int>(&link, 1)); !sent) {
        return tl::unexpected<Error>(sent.error());
      }
      return forked;
    });
  }

  Result<Forked> fork_worker() {
    auto handover = make_stream_socketpair();
    auto orders = make_stream_socketpair();
    if (!handover) return tl::unexpected<Error>(handover.error());
    if (!orders) return tl::unexpected<Error>(orders.error());
    auto child = parked::branch_worker();
    if (!child) return tl::unexpected<Error>(child.error());
    if (child->pid == 0) await_order(std::move(orders->second), std::move(handover->second));
    return Forked{std::move(*child), std::move(handover->first), RawChannel(std::move(orders->first))};
  }

  // All that this process holds is closed, whatever owned it: the objects are never destroyed in the child.
  [[noreturn]] void await_order(UniqueFd orders, UniqueFd handover) {
    sandbox::close_all_but({orders.get(), handover.get(), capsule_.ruleset.get()});
    RawChannel channel(std::move(orders));
    auto order = channel.receive();
    if (!order || !*order || (*order)->fds.size() != 1) _exit(0);  // the keeper has ended
    const auto* branch = std::get_if<Branch>(&(*order)->message);
    if (branch == nullptr) _exit(0);
    UniqueFd link = std::move((*order)->fds[0]);
    channel.close();
    become_worker(*branch, std::move(link), std::move(handover));
  }

  [[noreturn]] void become_worker(const Branch& branch, UniqueFd link, UniqueFd handover) {
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
  UniqueFd relay_;  // of a capsule inside another one: questions of its processes
  UniqueFd child_events_;
  sandbox::CapsuleLayers capsule_;
  std::vector<sandbox::CopiedPlace> places_;
  KeeperOptions options_;
  sandbox::Signals signals_;
  sandbox::KillGuard guard_;
  std::optional<Forked> ahead_;         // the first worker, before it is asked for
  std::set<pid_t> workers_;             // children, snapshots too
  std::map<pid_t, UniqueFd> guests_;    // the same of a keeper further out, with a pidfd each
  std::set<pid_t> nested_;              // children: keepers of capsules inside
  std::map<pid_t, UniqueFd> arriving_;  // by worker: the socket its filter's listener will come through
  std::vector<pollfd> polled_;
  bool readable_ = false;
};

}  // namespace

void keep_capsule(KeeperParts parts, const KeeperOptions& options) { Keeper(std::move(parts), options).serve(); }

}  // namespace capsule
