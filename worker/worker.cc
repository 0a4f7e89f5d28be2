#include "worker/worker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

#include "base/posix_io.h"
#include "protocol/codec.h"
#include "worker/crash_stack.h"
#include "worker/descriptor_reserve.h"
#include "worker/interpreter/checkpoint.h"
#include "worker/interpreter/inspect.h"
#include "worker/interpreter/interpreter.h"
#include "worker/link_thread.h"
#include "worker/memory_reserve.h"
#include "worker/open_files.h"
#include "worker/parked.h"
#include "worker/run_limit.h"
#include "worker/run_memory.h"
#include "worker/sandbox/nested.h"
#include "worker/snapshot.h"

namespace capsule {
namespace {

constexpr size_t kHeldResultBytes = 64u << 10;
constexpr int kStartFailedStatus = 78;  // EX_CONFIG: the manager reads the reason from `hello`
constexpr size_t kOwnThreads = 2;       // Python's and the link's

// The worker's side of the link for Python.
class LinkHost : public interpreter::Host {
 public:
  explicit LinkHost(LinkThread& link) : link_(link) {}

  Status send(const Message& message) override {
    std::string frame = encode_frame(message);
    if (frame.size() > limits::kFrameBytes) return failure(Errc::kTooLarge, "the message is larger than a frame");
    if (std::holds_alternative<ResultValue>(message) && frame.size() <= kHeldResultBytes) {
      held_result_ = std::move(frame);  // `finished` is right behind it, and the manager wakes once for both
      return {};
    }
    if (std::holds_alternative<Finished>(message)) frame.insert(0, std::exchange(held_result_, {}));
    return link_.send_frame(frame);
  }
  Status send_and_wait(Display display) override {
    display.id = link_.next_display_id();
    const uint64_t id = display.id;
    return send(std::move(display)).and_then([&] { return link_.wait_for_ack(id); });
  }
  std::string cancelled_run() override { return link_.cancelled_run(); }
  void forget_in_child() override { link_.forget_in_child(); }

 private:
  LinkThread& link_;
  std::string held_result_;  // main thread only
};

bool is_null_device(int descriptor) {
  struct stat status {};
  return fstat(descriptor, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

void point_at_null(int descriptor) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null && null.get() != descriptor) dup2(null.get(), descriptor);
}

// stdout, stderr and, when the client sends some, stdin arrive with the request. dup2 closes the run before's.
bool adopt_streams(std::vector<UniqueFd>& fds, const Execute& request) {
  const size_t wanted = request.standard_input ? 3 : 2;
  if (fds.size() != wanted) return false;
  for (UniqueFd& fd : fds) {  // user code may have closed the standard ones, and then these took their numbers
    if (fd.get() <= STDERR_FILENO) fd.reset(fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  }
  if (dup2(fds[0].get(), STDOUT_FILENO) < 0 || dup2(fds[1].get(), STDERR_FILENO) < 0) return false;
  if (request.standard_input) return dup2(fds[2].get(), STDIN_FILENO) >= 0;
  if (!is_null_device(STDIN_FILENO)) point_at_null(STDIN_FILENO);
  return true;
}

Hello make_hello(const WorkerOptions& options) {
  Hello hello;
  hello.version = kProtocolVersion;
  hello.role = "worker";
  hello.features = own_features();
  hello.python = interpreter::version();
  hello.profile = options.profile;
  return hello;
}

class Worker {
 public:
  Worker(LinkThread& link, LinkHost& host, WorkerOptions options)
      : link_(link), host_(host), options_(std::move(options)) {}

  [[noreturn]] void serve() {
    open_files_ = descriptor_reserve::open();
    for (;;) {
      LinkThread::Work work = wait();
      switch (work.kind) {
        case LinkThread::Work::Kind::kRequest: take(work); break;
        case LinkThread::Work::Kind::kPing: answer(work.ping_id); break;
        case LinkThread::Work::Kind::kLinkLost: stay_dead();
      }
    }
  }

 private:
  LinkThread::Work wait() {
    const interpreter::WithoutGil released;
    return link_.wait_for_work();
  }

  // What the manager's codec made; it watches the deadline of each.
  void take(LinkThread::Work& work) {
    auto message = decode(work.payload);
    link_.release_payload();
    if (!message) return link_.mark_idle();
    if (const auto* request = std::get_if<Execute>(&*message)) return run(*request, work.fds);
    if (const auto* branch = std::get_if<Branch>(&*message)) return make_copy(*branch, work.fds);
    if (const auto* restore = std::get_if<Restore>(&*message)) return fill_namespace(*restore, work.fds);
    if (const auto* look = std::get_if<Inspect>(&*message)) return tell_namespace(*look);
    link_.mark_idle();
  }

  void run(const Execute& request, std::vector<UniqueFd>& fds) {
    Finished finished;
    const bool adopted = adopt_streams(fds, request);
    fds.clear();  // the program gets 0, 1 and 2, and no second copies
    if (adopted) {
      descriptor_reserve::close(open_files_);
      finished = execute(request);
      memory_reserve::open(memory_reserve::Why::kEnd);
      open_files_ = descriptor_reserve::open();
    } else {
      finished.verdict = Verdict::kInternalError;
      finished.run_id = request.run_id;
      finished.evidence.detail = "the run's streams did not arrive";
    }
    std::fflush(nullptr);
    link_.set_namespace_names(finished.evidence.namespace_names);
    link_.mark_idle();
    say(finished);
  }

  // What the run has less of than its profile; in a session the next one may have more again.
  Finished execute(const Execute& request) const {
    const auto reach = request.session.empty() ? RunLimit::Reach::kHard : RunLimit::Reach::kSoft;
    memory_reserve::limit_run(data_limit_of_run(options_.recipe->policy.memory_soft_bytes, request.memory_bytes));
    const RunLimit open_files(RLIMIT_NOFILE, request.open_files, reach);
    const RunLimit processes(RLIMIT_NPROC, request.processes, reach);
    return interpreter::execute(request);
  }

  // The copy comes back from here when it is woken, and is the worker then, with a link of its own.
  void make_copy(const Branch& branch, std::vector<UniqueFd>& fds) {
    const TimePoint started = now();
    Branched reply;
    reply.re = branch.id;
    bool was_paused = false;
    const auto wanted =
        branch.nested ? sandbox::namespaces_to_enter(options_.sandbox.namespaces) : std::vector<uint64_t>();
    if (fds.size() != 1 + wanted.size()) {
      reply.failure = "branch needs the link, and the namespaces to enter";
    } else if (parked::thread_count() > kOwnThreads) {
      reply.failure = "threads of the program are running (" + interpreter::thread_names() + "): they cannot be copied";
    } else if (!LinkThread::has_room_for_copy()) {
      reply.failure = parked::kNoRoomForCopy;
    } else {
      const Root root = branch.nested ? Root::kNew : Root::kSame;
      const OpenFiles open = list_descriptors(fds, root);
      link_.pause();
      const auto copy = branch.nested ? parked::branch_copy_into(pair_up(fds, wanted)) : parked::branch_copy();
      if (copy && copy->pid == 0) {
        Parked parked{std::move(fds[0]), copy->mask, root};
        fds.clear();
        link_.close_descriptors();
        return live_on(stay_parked(std::move(parked), open, branch.name));
      }
      copy ? void(reply.pid = copy->pid) : void(reply.failure = copy.error().message);
      reply.not_captured = open.not_captured;
      was_paused = true;
    }
    reply.took_us = static_cast<uint64_t>(to_microseconds(now() - started));
    say(reply);  // first: the copy waits for what the manager does then, and a thread takes a while to start
    if (was_paused && !link_.resume()) stay_dead();
    link_.mark_idle();
  }

  void fill_namespace(const Restore& restore, std::vector<UniqueFd>& fds) {
    Report report;
    report.re = restore.id;
    auto loaded = fds.size() == 1 ? interpreter::load_namespace(fds[0].get())
                                  : failure(Errc::kInvalid, "restore needs exactly one descriptor, the pipe");
    loaded ? void(report.json.value = std::move(*loaded)) : void(report.failure = loaded.error().message);
    link_.mark_idle();
    say(report);
  }

  void tell_namespace(const Inspect& look) {
    Report report;
    report.re = look.id;
    auto told = interpreter::inspect_namespace(look.hashed ? interpreter::Names::kHashed : interpreter::Names::kPlain);
    told ? void(report.json.value = std::move(*told)) : void(report.failure = told.error().message);
    link_.mark_idle();
    say(report);
  }

  OpenFiles list_descriptors(const std::vector<UniqueFd>& of_copy, Root root) const {
    const auto of_link = link_.own_descriptors();
    std::vector<int> own(of_link.begin(), of_link.end());
    for (const UniqueFd& fd : of_copy) own.push_back(fd.get());
    return list_open_files(own, root);
  }

  static std::vector<parked::Entered> pair_up(const std::vector<UniqueFd>& fds, const std::vector<uint64_t>& kinds) {
    std::vector<parked::Entered> pairs;
    for (size_t i = 0; i < kinds.size(); ++i) pairs.push_back({fds[i + 1].get(), kinds[i]});
    return pairs;
  }

  void live_on(Woken woken) {
    Hello hello = make_hello(options_);
    Status ready =
        interpreter::wake_up(woken.wake.fresh ? interpreter::Randomness::kNew : interpreter::Randomness::kKept);
    if (ready) ready = link_.restart(std::move(woken.link), options_.heartbeat_interval);
    if (!ready) _exit(kStartFailedStatus);
    say(hello);
  }

  template <class T>
  void say(const T& message) {
    const interpreter::WithoutGil released;
    if (!host_.send(message)) stay_dead();
  }

  void answer(uint64_t ping_id) { say(Ack{ping_id, interpreter::healthy() ? "healthy" : "python failed"}); }

  // The link was closed under us by user code. The manager sees its end and kills this process; ending by ourselves
  // would look like the program's own exit.
  [[noreturn]] static void stay_dead() {
    for (;;) pause();
  }

  LinkThread& link_;
  LinkHost& host_;
  WorkerOptions options_;
  rlim_t open_files_ = 0;  // what a program meets; more when none runs
};

// The keeper gets the descriptor on which the filter's questions arrive before any user code runs, and this process
// keeps no copy: it could answer them itself.
void enter_sandbox(const WorkerOptions& options, Hello& hello) {
  auto entered = sandbox::enter_worker(*options.recipe, options.sandbox);
  hello.layers = std::move(entered.applied.layers);
  hello.timings_us = std::move(entered.applied.timings_us);
  if (entered.listener) {
    const int listener = entered.listener.get();
    const auto handed = send_with_fds(options.handover.get(), ".", std::span<const int>(&listener, 1), MSG_NOSIGNAL);
    if (!handed) hello.failure = "the keeper did not take the filter's listener: " + handed.error().message;
  }
}

}  // namespace

void serve_as_worker(UniqueFd link, WorkerOptions options) {
  const TimePoint started = now();
  Hello hello = make_hello(options);
  enter_sandbox(options, hello);
  options.handover.reset();
  if (options.sandbox.ruleset >= 0) close(options.sandbox.ruleset);
  point_at_null(STDIN_FILENO);
  point_at_null(STDOUT_FILENO);
  // Both outlive every user thread and at-fork hook: the process ends by _exit or a signal, never by return.
  static LinkThread link_thread;
  static LinkHost host(link_thread);
  Status ready = hello.failure.empty() ? Status() : Status(failure(Errc::kSystem, hello.failure));
  if (ready) ready = interpreter::become_worker(host, options.rehearsal);
  memory_reserve::start();
  const int link_fd = link.get();
  link_thread.set_stack_dump(interpreter::dump_stacks);
  if (ready) ready = link_thread.start(std::move(link), options.heartbeat_interval);
  tell_stack_of_crashes(link_thread);
  hello.timings_us["warm_up"] = static_cast<uint64_t>(to_microseconds(now() - started));
  if (!ready) {
    hello.failure = ready.error().message;
    (void)write_all(link_fd, encode_frame(hello));
    _exit(kStartFailedStatus);
  }
  point_at_null(STDERR_FILENO);
  if (!host.send(hello)) _exit(kStartFailedStatus);
  Worker(link_thread, host, std::move(options)).serve();
}

}  // namespace capsule
