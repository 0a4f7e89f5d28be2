#include "worker/zygote.h"

#include <unistd.h>

#include <cstdlib>

#include "worker/interpreter/interpreter.h"
#include "worker/keeper.h"
#include "worker/parked.h"
#include "worker/raw_channel.h"
#include "worker/sandbox/descriptors.h"

namespace capsule {
namespace {

constexpr int kDone = 0;
constexpr int kProtocolStatus = 76;  // EX_PROTOCOL

class Zygote {
 public:
  explicit Zygote(RawChannel channel) : channel_(std::move(channel)) {}

  int serve() {
    for (;;) {
      auto received = channel_.receive();
      if (!received) return kProtocolStatus;
      if (!*received) return kDone;
      if (!take(**received)) return kProtocolStatus;
    }
  }

 private:
  Status take(RawChannel::Received& request) {
    if (const auto* prepare = std::get_if<Prepare>(&request.message)) return become(*prepare);
    if (const auto* branch = std::get_if<Branch>(&request.message)) return make_capsule(*branch, request.fds);
    if (std::holds_alternative<Shutdown>(request.message)) _exit(kDone);
    return channel_.send(ErrorReply{0, "invalid", "a zygote does not take this message"});
  }

  Status become(const Prepare& prepare) {
    const TimePoint started = now();
    profile_ = prepare;
    clearenv();
    for (const auto& [name, value] : prepare.environment) setenv(name.c_str(), value.c_str(), 1);
    Hello hello;
    hello.version = kProtocolVersion;
    hello.role = "zygote";
    hello.features = own_features();
    hello.profile = prepare.profile;
    const Status ready = interpreter::start()
                             .and_then([&] { return interpreter::preload(prepare.preload); })
                             .and_then([&] { return interpreter::settle(); })
                             .and_then([&] { return check_threads(); });
    if (ready) {
      hello.python = interpreter::version();
    } else {
      hello.failure = ready.error().message;
    }
    hello.timings_us["preload"] = static_cast<uint64_t>(to_microseconds(now() - started));
    return channel_.send(hello);
  }

  static Status check_threads() {
    const size_t threads = parked::thread_count();
    if (threads == 1) return {};
    return failure(Errc::kUnavailable, "a preloaded module started threads (" + std::to_string(threads) +
                                           "): a process with threads cannot be forked safely");
  }

  Status make_capsule(const Branch& branch, std::vector<UniqueFd>& fds) {
    const TimePoint started = now();
    Branched reply;
    reply.re = branch.id;
    if (fds.size() != 1) {
      reply.failure = "branch needs exactly one descriptor, the link";
      return channel_.send(reply);
    }
    auto containment = wants_namespaces() ? parked::Containment::kNamespaces : parked::Containment::kNone;
    auto child = parked::branch_capsule(containment);
    if (!child && containment == parked::Containment::kNamespaces) {
      containment = parked::Containment::kNone;
      child = parked::branch_capsule(containment);
    }
    if (child && child->pid == 0) become_keeper(branch, containment, std::move(fds[0]));
    reply.took_us = static_cast<uint64_t>(to_microseconds(now() - started));
    if (!child) {
      reply.failure = child.error().message;
      return channel_.send(reply);
    }
    reply.pid = child->pid;
    const int pidfd = child->pidfd.get();
    return channel_.send(reply, std::span<const int>(&pidfd, 1));
  }

  bool wants_namespaces() const { return profile_.namespaces != "off"; }

  [[noreturn]] void become_keeper(const Branch& branch, parked::Containment containment, UniqueFd link) {
    channel_.close();
    sandbox::close_all_but(link.get());
    KeeperOptions options;
    options.name = branch.name;
    options.containment = containment;
    options.policy = {user_, group_, branch.workspace, profile_.workspace_bytes, profile_.workspace_files};
    options.profile = profile_.profile;
    options.heartbeat_interval = milliseconds(profile_.heartbeat_ms);
    serve_as_keeper(std::move(link), options);
  }

  RawChannel channel_;
  Prepare profile_;
  uid_t user_ = geteuid();
  gid_t group_ = getegid();
};

}  // namespace

int serve_as_zygote(UniqueFd link) { return Zygote(RawChannel(std::move(link))).serve(); }

}  // namespace capsule
