#include "worker/keeper.h"

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "worker/keeper_loop.h"
#include "worker/sandbox/nested.h"

namespace capsule {
namespace {

constexpr int kFailedStatus = 71;  // EX_OSERR

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
  keep_capsule({std::move(channel), {}, std::move(child_events), std::move(capsule)}, options);
}

void serve_as_nested_keeper(NestedStart start, const KeeperOptions& options) {
  const TimePoint started = now();
  prctl(PR_SET_NAME, options.name.c_str());
  UniqueFd child_events = watch_children();
  RawChannel channel(std::move(start.link));
  Hello hello = make_hello(options);
  const Layer cgroup = enter_control_groups(start.doors);
  start.doors.clear();
  sandbox::NestedLayers entered =
      sandbox::enter_nested_capsule(*options.recipe, options.capsule, std::move(start.ruleset));
  hello.layers = entered.capsule.applied.layers;
  hello.timings_us = entered.capsule.applied.timings_us;
  hello.not_captured = std::move(entered.left_out);
  const auto namespaces = sandbox::open_own_namespaces(options.capsule.namespaces);
  if (cgroup.state != "on") hello.failure = cgroup.detail;
  if (!child_events) hello.failure = "signalfd failed";
  if (!namespaces) hello.failure = namespaces.error().message;
  if (!entered.ready) hello.failure = entered.ready.error().message;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  hello.timings_us["capsule_setup"] = static_cast<uint64_t>(to_microseconds(now() - started));
  UniqueFd workspace = sandbox::open_workspace(entered.capsule, options.workspace);
  std::vector<int> fds;
  for (const UniqueFd* fd : {&workspace, &entered.capsule.proxy}) {
    if (*fd) fds.push_back(fd->get());
  }
  if (namespaces) {
    for (const UniqueFd& fd : *namespaces) fds.push_back(fd.get());
  }
  if (!channel.send(hello, fds) || !hello.failure.empty()) _exit(kFailedStatus);
  entered.capsule.proxy.reset();
  workspace.reset();
  keep_capsule({std::move(channel), std::move(start.relay), std::move(child_events), std::move(entered.capsule),
                std::move(entered.places)},
               options);
}

}  // namespace capsule
