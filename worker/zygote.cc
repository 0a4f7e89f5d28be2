#include "worker/zygote.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "worker/heap_holes.h"
#include "worker/interpreter/arenas.h"
#include "worker/interpreter/interpreter.h"
#include "worker/keeper.h"
#include "worker/memory_image.h"
#include "worker/parked.h"
#include "worker/raw_channel.h"
#include "worker/sandbox/descriptors.h"
#include "worker/sandbox/layers.h"
#include "worker/sandbox/resize.h"

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
    if (const auto* resize = std::get_if<Resize>(&request.message)) return resize_workspace(*resize, request.fds);
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
    const sandbox::landlock::Proof landlock = sandbox::landlock::prove();  // a fork, while there is little to copy
    hello.timings_us["landlock_proof"] = static_cast<uint64_t>(to_microseconds(now() - started));
    const Status ready = check_places(prepare)
                             .and_then([&] { return interpreter::start(prepare.packages); })
                             .and_then([&] { return interpreter::preload(prepare.preload); })
                             .and_then([&] { return interpreter::settle(); })
                             .and_then([&] { return check_threads(); });
    if (ready) {
      hello.python = interpreter::version();
    } else {
      hello.failure = ready.error().message;
    }
    hello.timings_us["preload"] = static_cast<uint64_t>(to_microseconds(now() - started));
    TimePoint loaded = now();
    recipe_ = sandbox::make_recipe(prepare, landlock);
    hello.timings_us["sandbox_recipe"] = static_cast<uint64_t>(to_microseconds(now() - loaded));
    loaded = now();
    fill_heap_holes();
    put_memory_into_image(interpreter::gathered_arenas());
    hello.timings_us["memory_image"] = static_cast<uint64_t>(to_microseconds(now() - loaded));
    return channel_.send(hello);
  }

  // A profile that names what is not there is refused as a whole: its capsules would be weaker or poorer than it says.
  static Status check_places(const Prepare& prepare) {
    std::vector<std::string> places = prepare.packages;
    for (const Mount& mount : prepare.mounts) places.push_back(mount.source);
    for (const std::string& place : places) {
      struct stat info {};
      if (stat(place.c_str(), &info) != 0) return system_failure("the profile's directory " + place);
      if (!S_ISDIR(info.st_mode)) return failure(Errc::kInvalid, "the profile's " + place + " is not a directory");
    }
    return {};
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
    if (!recipe_ || fds.size() != 1) {
      reply.failure = "branch comes after prepare, with the link";
      return channel_.send(reply);
    }
    parked::Namespaces made = parked::kNoNamespaces;
    Result<parked::Child> child = failure(Errc::kUnavailable, "no namespaces were tried");
    for (const parked::Namespaces wanted : choices()) {
      made = wanted;
      sandbox::complete_recipe(*recipe_, wanted);
      child = parked::branch_capsule(wanted);
      if (child || child.error().code != Errc::kUnavailable) break;
    }
    if (child && child->pid == 0) become_keeper(branch, made, std::move(fds[0]));
    reply.took_us = static_cast<uint64_t>(to_microseconds(now() - started));
    if (!child) {
      reply.failure = child.error().message;
      return channel_.send(reply);
    }
    reply.pid = child->pid;
    const int pidfd = child->pidfd.get();
    return channel_.send(reply, std::span<const int>(&pidfd, 1));
  }

  Status resize_workspace(const Resize& resize, const std::vector<UniqueFd>& fds) {
    Report report;
    report.re = resize.id;
    const Status resized = fds.size() == 1
                               ? sandbox::resize_workspace(fds[0].get(), resize.workspace_bytes, resize.workspace_files)
                               : Status(failure(Errc::kInvalid, "resize comes with one pidfd"));
    if (!resized) report.failure = resized.error().message;
    return channel_.send(report);
  }

  std::span<const parked::Namespaces> choices() const {
    const std::span<const parked::Namespaces> all(parked::kChoices);
    return profile_.namespaces == "off" ? all.last(1) : all;
  }

  [[noreturn]] void become_keeper(const Branch& branch, parked::Namespaces namespaces, UniqueFd link) {
    channel_.close();
    sandbox::close_all_but({link.get()});
    KeeperOptions options;
    options.name = branch.name;
    options.capsule = {namespaces, {user_, group_}, sandbox::IdMaps::kOwn};
    if (profile_.own_users && branch.uid != 0 && parked::has(namespaces, CLONE_NEWUSER)) {
      options.capsule.identity = {branch.uid, branch.uid};
      options.capsule.id_maps = sandbox::IdMaps::kByManager;
    }
    options.recipe = &*recipe_;
    // Without a user namespace the manager does not wait to hear where the keeper is, and may put it elsewhere.
    options.forks_ahead = branch.ahead && (branch.uid == 0 || options.capsule.id_maps == sandbox::IdMaps::kByManager);
    options.workspace = branch.workspace;
    options.profile = profile_.profile;
    options.heartbeat_interval = milliseconds(profile_.heartbeat_ms);
    serve_as_keeper(std::move(link), options);
  }

  RawChannel channel_;
  Prepare profile_;
  std::optional<sandbox::Recipe> recipe_;
  uid_t user_ = geteuid();
  gid_t group_ = getegid();
};

}  // namespace

int serve_as_zygote(UniqueFd link) { return Zygote(RawChannel(std::move(link))).serve(); }

}  // namespace capsule
