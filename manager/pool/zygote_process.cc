#include "manager/pool/zygote_process.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>
#include <cerrno>

#include "base/posix_io.h"
#include "manager/observe/log.h"

namespace capsule {
namespace process = boost::process::v2;
namespace {
constexpr int kLinkFd = 3;  // where the worker program expects its link
constexpr size_t kErrorTextBytes = 4096;
constexpr seconds kPreloadPatience{120};  // cold disks and large libraries
constexpr seconds kBranchPatience{10};    // a fork takes milliseconds

// What the zygote is started with, besides its standard streams. Stands in for two initialisers of Boost 1.81 that
// cannot be used: process_environment does not link, and posix::bind_fd has a function that returns no value (see
// docs/decisions/0003-boost-process-in-1.81.md).
struct ZygoteSetup {
  int link;

  template <class Launcher, class Path>
  boost::system::error_code on_setup(Launcher& launcher, const Path&, const char* const*) const {
    // Nothing of the manager's: it may hold secrets, and a process's first environment stays readable in /proc for its
    // whole life. What the profile wants comes in `prepare`. glibc reads its part before main(): large blocks go into
    // large pages, which makes copies of a large session cheap (decision 0027).
    static const char* const environment[] = {"GLIBC_TUNABLES=glibc.malloc.hugetlb=1", nullptr};
    launcher.env = environment;
    launcher.fd_whitelist.push_back(kLinkFd);
    return {};
  }

  // In the child, before exec.
  template <class Launcher, class Path>
  boost::system::error_code on_exec_setup(Launcher&, const Path&, const char* const*) const {
    // dup2 onto itself would leave it close-on-exec.
    if (link == kLinkFd ? fcntl(link, F_SETFD, 0) == 0 : dup2(link, kLinkFd) >= 0) return {};
    return {errno, boost::system::system_category()};
  }
};

UniqueFd open_pidfd(pid_t pid) { return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

}  // namespace

// The destructor of Boost's process would kill and wait on the loop's thread; ours detaches after the end is known.
struct ZygoteProcess::Process {
  Process(Loop& loop, process::process started)
      : child(std::move(started)), pid(static_cast<pid_t>(child.id())), end(loop, open_pidfd(pid)) {}
  process::process child;
  pid_t pid;
  FdWatch end;  // not async_wait(): see decision 0003
};

Result<std::shared_ptr<ZygoteProcess>> ZygoteProcess::launch(Loop& loop, ZygoteOptions options, Events events,
                                                             Metrics& metrics) {
  auto link = make_stream_socketpair();
  auto errors = make_pipe();
  if (!link || !errors) return failure(Errc::kSystem, "cannot make the zygote's descriptors");
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  std::vector<std::string> arguments;
  if (options.user != 0) {
    arguments.emplace_back("--user");
    arguments.push_back(std::to_string(options.user));
  }
  auto zygote = std::shared_ptr<ZygoteProcess>(
      new ZygoteProcess(loop, std::move(link->first), std::move(errors->first), metrics));
  try {
    process::process child(loop.context(), options.program, arguments,
                           process::process_stdio{null.get(), null.get(), errors->second.get()},
                           ZygoteSetup{link->second.get()});
    zygote->process_ = std::make_unique<Process>(loop, std::move(child));
  } catch (const boost::system::system_error& error) {
    return failure(Errc::kSystem, "cannot start " + options.program + ": " + error.what());
  }
  zygote->begin(std::move(events), std::move(options.prepare));
  return zygote;
}

ZygoteProcess::ZygoteProcess(Loop& loop, UniqueFd link, UniqueFd errors, Metrics& metrics)
    : channel_(
          std::make_shared<FrameChannel>(loop, std::move(link), PassedFds::kTaken, label::Socket::kWorker, metrics)),
      errors_(loop, std::move(errors)),
      patience_(loop),
      started_at_(now()) {}

ZygoteProcess::~ZygoteProcess() = default;

void ZygoteProcess::begin(Events events, Prepare prepare) {
  events_ = std::move(events);
  FrameChannel::Handlers handlers;
  handlers.on_message = [self = weak_from_this()](Message message, size_t) {
    if (const auto zygote = self.lock()) zygote->handle(std::move(message));
  };
  handlers.on_end = [self = weak_from_this()](const Error& error) {
    if (const auto zygote = self.lock()) zygote->link_ended(error);
  };
  channel_->start(std::move(handlers));
  errors_.on_readable([self = weak_from_this()] {
    if (const auto zygote = self.lock()) zygote->read_errors();
  });
  // Strong: a zygote is waited for even when its pool has forgotten it.
  process_->end.on_readable([self = shared_from_this()] { self->reap(); });
  prepare.id = ++last_request_;
  channel_->send(prepare);
  expect_answer(kPreloadPatience);
}

// A zygote that hangs (stopped, or stuck in a library) is killed; its pool starts another.
void ZygoteProcess::expect_answer(Duration patience) {
  patience_.after(patience, [self = weak_from_this()] {
    const auto zygote = self.lock();
    if (!zygote || zygote->gone_) return;
    log_error("zygote does not answer and is killed", {{"pid", std::to_string(zygote->pid())}});
    zygote->is_stuck_ = true;
    ::kill(zygote->process_->pid, SIGKILL);
  });
}

void ZygoteProcess::branch(const CapsuleRequest& wanted, CapsuleBranched done) {
  if (!ready_ || gone_) return done(failure(Errc::kUnavailable, "the zygote is not ready"));
  auto link = make_stream_socketpair();
  if (!link) return done(tl::unexpected<Error>(link.error()));
  const uint64_t request = ++last_request_;
  branching_.emplace(request, Pending{std::move(link->first), std::move(done)});
  Branch branch;
  branch.id = request;
  branch.name = wanted.name;
  branch.workspace = wanted.workspace;
  branch.uid = wanted.user;
  branch.ahead = wanted.ahead;
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(link->second));
  channel_->send(branch, std::move(fds));
  if (owed_answers() == 1) expect_answer(kBranchPatience);
}

void ZygoteProcess::resize(WorkspaceSize size, UniqueFd pidfd, Resized done) {
  if (!ready_ || gone_) return done(failure(Errc::kUnavailable, "the zygote is not ready"));
  const uint64_t request = ++last_request_;
  resizing_.emplace(request, std::move(done));
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(pidfd));
  channel_->send(Resize{request, size.bytes, size.files}, std::move(fds));
  if (owed_answers() == 1) expect_answer(kBranchPatience);
}

void ZygoteProcess::resized(const Report& report) {
  auto found = resizing_.extract(report.re);
  heard_answer();
  if (found.empty()) return;
  found.mapped()(report.failure.empty() ? Status() : Status(failure(Errc::kRefused, report.failure)));
}

void ZygoteProcess::heard_answer() { owed_answers() == 0 ? patience_.cancel() : expect_answer(kBranchPatience); }

void ZygoteProcess::stop() {
  stopping_ = true;
  channel_->close();  // it ends at end-of-file, unless it is stuck
  if (!gone_) ::kill(process_->pid, SIGKILL);
}

pid_t ZygoteProcess::pid() const { return process_ ? process_->pid : 0; }

void ZygoteProcess::handle(Message message) {
  if (auto* hello = std::get_if<Hello>(&message)) {
    patience_.cancel();
    hello_ = std::move(*hello);
    ready_ = hello_.failure.empty();
    return events_.on_ready(hello_);
  }
  if (const auto* report = std::get_if<Report>(&message)) return resized(*report);
  const auto* reply = std::get_if<Branched>(&message);
  if (reply == nullptr) return;
  auto found = branching_.extract(reply->re);
  heard_answer();
  std::vector<UniqueFd> fds = channel_->take_fds();
  if (found.empty()) return;
  Pending pending = std::move(found.mapped());
  if (!reply->failure.empty() || fds.empty()) {
    return pending.done(failure(Errc::kUnavailable, "cannot fork a capsule: " + reply->failure));
  }
  ++forks_;
  pending.done(BranchedCapsule{std::move(pending.link), std::move(fds[0]), microseconds(reply->took_us)});
}

// Python and the libraries it preloads print here when they fail; the end of it explains a death.
void ZygoteProcess::read_errors() {
  std::array<char, 4096> block;
  if (!errors_.is_open()) return;
  const ssize_t got = read(errors_.fd(), block.data(), block.size());
  if (got == 0) return errors_.close();
  if (got < 0) return;
  error_text_.append(block.data(), static_cast<size_t>(got));
  if (error_text_.size() > kErrorTextBytes) error_text_.erase(0, error_text_.size() - kErrorTextBytes);
}

void ZygoteProcess::link_ended(const Error& error) {
  if (stopping_ || gone_) return;
  log_warning("zygote closed its link", {{"pid", std::to_string(pid())}, {"error", error.message}});
  ::kill(process_->pid, SIGKILL);  // its end is reported once it is reaped
}

void ZygoteProcess::reap() {
  int status = 0;
  if (waitpid(process_->pid, &status, WNOHANG) == 0) return;
  process_->end.close();
  read_errors();
  gone("status " + std::to_string(status));
}

void ZygoteProcess::gone(std::string why) {
  if (gone_) return;
  gone_ = true;
  ready_ = false;
  patience_.cancel();
  process_->child.detach();
  channel_->close();
  errors_.close();
  for (auto& [id, pending] : std::exchange(branching_, {})) {
    pending.done(failure(Errc::kUnavailable, "the zygote died: " + why));
  }
  for (auto& [id, done] : std::exchange(resizing_, {})) {
    done(failure(Errc::kUnavailable, "the zygote died: " + why));
  }
  if (!error_text_.empty()) why += ": " + error_text_;
  const auto cause = is_stuck_ ? label::ZygoteRestart::kUnhealthy : label::ZygoteRestart::kDied;
  if (events_.on_gone) std::exchange(events_.on_gone, nullptr)(cause, stopping_ ? "" : why);
}

}  // namespace capsule
