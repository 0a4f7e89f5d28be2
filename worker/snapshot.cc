#include "worker/snapshot.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/posix_io.h"
#include "worker/interpreter/checkpoint.h"
#include "worker/interpreter/interpreter.h"
#include "worker/parked.h"
#include "worker/raw_channel.h"
#include "worker/sandbox/privileges.h"

namespace capsule {
namespace {

constexpr size_t kRollupBytes = 8192;
constexpr int kDroppedStatus = 0;
constexpr int kBrokenStatus = 76;  // EX_PROTOCOL

// Its own descriptors above stderr are the link alone.
void settle_down(const OpenFiles& open, Root root, const std::string& name) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, name.c_str());
  if (root == Root::kNew) setsid();  // its group is for what it starts itself
  open_anew(open, root);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (null >= 0) dup2(null, standard);
  }
  if (null > STDERR_FILENO) close(null);
  // Last: afterwards its keeper can no longer open its /proc. Waits until the keeper has heard of this copy; one that
  // cannot hide would be in the program's reach.
  if (!sandbox::set_dumpable(sandbox::Dumpable::kNo)) _exit(kBrokenStatus);
}

// proc(5): lines of "Name:   123 kB".
uint64_t sum_of(const std::string& rollup, std::initializer_list<const char*> names) {
  uint64_t kilobytes = 0;
  for (const char* name : names) {
    const size_t at = rollup.find(std::string("\n") + name);
    if (at != std::string::npos) kilobytes += std::strtoull(rollup.c_str() + at + 1 + std::strlen(name), nullptr, 10);
  }
  return kilobytes * 1024;
}

Hello make_hello() {
  Hello hello;
  hello.version = kProtocolVersion;
  hello.role = "snapshot";
  hello.python = interpreter::version();
  return hello;
}

class ParkedCopy {
 public:
  explicit ParkedCopy(Parked parked) : channel_(std::move(parked.link)), mask_(parked.mask) {}

  void greet() {
    if (!channel_.send(make_hello())) _exit(kBrokenStatus);
  }

  Woken wait() {
    for (;;) {
      auto received = channel_.receive();
      if (!received) _exit(kBrokenStatus);
      if (!*received) _exit(kDroppedStatus);
      RawChannel::Received& request = **received;
      if (const auto* wake = std::get_if<Wake>(&request.message)) return wake_up(*wake, request.fds);
      if (const auto* branch = std::get_if<Branch>(&request.message)) {
        make_copy(*branch, request.fds);
      } else if (const auto* checkpoint = std::get_if<Checkpoint>(&request.message)) {
        serialise(*checkpoint, request.fds);
      } else if (const auto* ping = std::get_if<Ping>(&request.message)) {
        tell_memory(*ping);
      } else if (!channel_.send(ErrorReply{0, "invalid", "a snapshot does not take this message"})) {
        _exit(kBrokenStatus);
      }
    }
  }

 private:
  void make_copy(const Branch& branch, std::vector<UniqueFd>& fds) {
    const TimePoint started = now();
    Branched reply;
    reply.re = branch.id;
    if (fds.size() != 1 || branch.nested) {
      reply.failure = "a snapshot makes copies in its own capsule, and needs exactly one descriptor, the link";
    } else {
      const int own[] = {channel_.fd(), fds[0].get()};
      const OpenFiles open = list_open_files(own, Root::kSame);
      const auto copy = parked::branch_copy();
      if (copy && copy->pid == 0) {
        channel_ = RawChannel(std::move(fds[0]));
        // It was born hidden; as long as it is not, its keeper can open its oom score, for when it is the worker.
        (void)sandbox::set_dumpable(sandbox::Dumpable::kYes);
        settle_down(open, Root::kSame, branch.name);
        return greet();
      }
      copy ? void(reply.pid = copy->pid) : void(reply.failure = copy.error().message);
    }
    reply.took_us = static_cast<uint64_t>(to_microseconds(now() - started));
    if (!channel_.send(reply)) _exit(kBrokenStatus);
  }

  // Runs code of the program, so from here on it is a worker to the kernel's mind, not a parked one.
  [[noreturn]] void serialise(const Checkpoint& request, const std::vector<UniqueFd>& fds) {
    (void)sandbox::set_dumpable(sandbox::Dumpable::kYes);
    const interpreter::SaveOptions options{request.leave_out, milliseconds(request.timeout_ms),
                                           milliseconds(request.stall_timeout_ms), request.bytes_max};
    const bool saved = fds.size() == 1 && interpreter::save_namespace(fds[0].get(), options);
    _exit(saved ? kDroppedStatus : kBrokenStatus);
  }

  // Nobody else may read it: the manager where it is not root neither, for this process is not dumpable.
  void tell_memory(const Ping& ping) {
    const auto rollup = read_file("/proc/self/smaps_rollup", kRollupBytes);
    Report report;
    report.re = ping.id;
    if (rollup) {
      report.json.value =
          "{\"private_bytes\":" + std::to_string(sum_of(*rollup, {"Private_Clean:", "Private_Dirty:"})) +
          ",\"shared_bytes\":" + std::to_string(sum_of(*rollup, {"Shared_Clean:", "Shared_Dirty:"})) + "}";
    } else {
      report.failure = rollup.error().message;
    }
    if (!channel_.send(report)) _exit(kBrokenStatus);
  }

  // Into the control groups that the manager has opened, before anything is charged to where it came from.
  Woken wake_up(const Wake& wake, const std::vector<UniqueFd>& doors) {
    for (const UniqueFd& door : doors) {
      if (write(door.get(), "0", 1) != 1) _exit(kBrokenStatus);
    }
    prctl(PR_SET_NAME, wake.name.c_str());
    (void)sandbox::set_dumpable(sandbox::Dumpable::kYes);
    sigprocmask(SIG_SETMASK, &mask_, nullptr);
    return {channel_.take_socket(), wake};
  }

  RawChannel channel_;
  sigset_t mask_;
};

}  // namespace

Woken stay_parked(Parked parked, const OpenFiles& open, const std::string& name) {
  settle_down(open, parked.root, name);
  ParkedCopy snapshot(std::move(parked));
  snapshot.greet();
  return snapshot.wait();
}

}  // namespace capsule
