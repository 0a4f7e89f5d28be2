#include "worker/doctor/capsule_probes.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/clock.h"
#include "base/posix_io.h"
#include "worker/sandbox/kill_guard.h"
#include "worker/sandbox/layers.h"

namespace capsule::doctor {
namespace {

constexpr const char* kHostPlace = "/var/lib";  // every host has it, no capsule does
constexpr milliseconds kGuardPatience{1000};

// Things outside that nothing inside may reach.
struct Canaries {
  pid_t pid = getpid();
  key_t memory_key = static_cast<key_t>(0x43415000 + getpid());
  UniqueFd listener;
  std::string socket_name = std::string(1, '\0') + "capsule-doctor-" + std::to_string(getpid());
};

sockaddr_un address_of(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  return address;
}

socklen_t size_of(const std::string& name) { return static_cast<socklen_t>(sizeof(sa_family_t) + name.size()); }

void set_out(Canaries& canaries) {
  canaries.listener = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(canaries.socket_name);
  if (bind(canaries.listener.get(), reinterpret_cast<const sockaddr*>(&address), size_of(canaries.socket_name)) == 0) {
    listen(canaries.listener.get(), 1);
  }
}

bool can_connect(const std::string& name) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(name);
  return connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size_of(name)) == 0;
}

pid_t clone_with(parked::Namespaces namespaces) {
  clone_args arguments{};
  arguments.flags = namespaces;
  arguments.exit_signal = SIGCHLD;
  const long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid >= 0 || errno != ENOSYS) return static_cast<pid_t>(pid);
  return static_cast<pid_t>(syscall(SYS_clone, namespaces | SIGCHLD, 0, nullptr, nullptr, 0));  // hidden by a container
}

bool is_gone(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) != 0;
}

// What the keeper tries after its layers are in place. `name`'s forbidden act, and whether it was refused.
void try_one(const std::string& name, const Canaries& outside, Reporter& report) {
  char host[HOST_NAME_MAX + 1] = {};
  if (name == "userns")
    return report.tried(name, setuid(getuid() == 0 ? 1 : 0) != 0, "becoming another user is refused");
  if (name == "pidns") {
    return report.tried(name, getpid() == 1 && kill(outside.pid, 0) != 0, "a process outside cannot be signalled");
  }
  if (name == "netns") {
    return report.tried(name, !can_connect(outside.socket_name), "an abstract socket outside cannot be reached");
  }
  if (name == "ipcns") {
    return report.tried(name, shmget(outside.memory_key, 0, 0) < 0, "shared memory outside cannot be attached");
  }
  if (name == "utsns") {
    gethostname(host, sizeof host - 1);
    return report.tried(name, std::strcmp(host, "capsule") == 0, "the host's name is not to be seen");
  }
  if (name == "id_maps") return report.tried(name, getuid() != 65534, "the process has its own id and no other");
  if (name == "mountns" || name == "root") {
    const bool closed = is_gone(kHostPlace) && mkdir("/usr/capsule-doctor", 0700) != 0;
    return report.tried(name, closed, std::string(kHostPlace) + " is not there, and /usr cannot be written to");
  }
  if (name == "proc") {
    return report.tried(name, is_gone("/proc/" + std::to_string(outside.pid) + "/stat"),
                        "no process of the host in /proc");
  }
  if (name == "capabilities") return report.tried(name, chroot("/") != 0 && errno == EPERM, "chroot is refused");
  if (name == "no_new_privs") {
    return report.tried(name,
                        prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
                        "it cannot be taken back");
  }
}

bool can_signal_own_child() {
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  const bool sent = child > 0 && kill(child, SIGKILL) == 0;
  if (child > 0 && sent) waitpid(child, nullptr, 0);
  return sent;
}

// What a worker tries. Landlock and seccomp are proved apart from this, where nothing else could be the reason.
void be_worker(const sandbox::Recipe& recipe, const sandbox::WorkerRequest& request, int handover, Reporter& report) {
  auto entered = sandbox::enter_worker(recipe, request);
  if (entered.listener) {
    const int listener = entered.listener.get();
    (void)send_with_fds(handover, ".", std::span<const int>(&listener, 1), MSG_NOSIGNAL);
    entered.listener.reset();
  }
  for (const Layer& layer : entered.applied.layers) {
    if (layer.state != "on") {
      report.off(layer.name, layer.detail);
    } else if (layer.name == "rlimits") {
      const rlimit more{1, 1};
      report.tried("rlimits", setrlimit(RLIMIT_CORE, &more) != 0, "a limit cannot be raised again");
    } else if (layer.name == "kill_guard") {
      const bool refused = kill(getppid(), SIGTERM) != 0 && errno == EPERM;
      report.tried("kill_guard", refused && can_signal_own_child(), "the keeper cannot be signalled, own children can");
    }
  }
  const UniqueFd memory(open(("/proc/" + std::to_string(getppid()) + "/environ").c_str(), O_RDONLY | O_CLOEXEC));
  report.tried("dumpable", !memory, "the keeper's memory cannot be read");
}

// The keeper's part for that worker: answers its signals until it has ended.
void guard(pid_t worker, int handover, parked::Namespaces namespaces) {
  sandbox::Signals signals(namespaces);
  sandbox::KillGuard guard(signals, [] {});
  const TimePoint deadline = now() + kGuardPatience;
  while (now() < deadline && waitpid(worker, nullptr, WNOHANG) == 0) {
    std::vector<pollfd> polled{{handover, POLLIN, 0}};
    guard.add_to(polled);
    if (poll(polled.data(), polled.size(), 1) <= 0) continue;  // a death is seen after a millisecond
    guard.answer(polled);
    char byte = 0;
    std::vector<UniqueFd> fds;
    if (polled[0].revents == 0) continue;
    (void)receive_with_fds(handover, std::span<char>(&byte, 1), fds, MSG_DONTWAIT);
    for (UniqueFd& fd : fds) guard.watch(std::move(fd));
    if (fds.empty()) handover = -1;  // poll(2) passes over it
  }
  kill(worker, SIGKILL);
}

void be_keeper(const sandbox::Recipe& recipe, const sandbox::CapsuleRequest& request, const Canaries& outside,
               Reporter& report) {
  const parked::Namespaces namespaces = request.namespaces;
  sandbox::CapsuleLayers capsule = sandbox::enter_capsule(recipe, request);
  for (const Layer& layer : capsule.applied.layers) {
    if (layer.state == "off") {
      report.off(layer.name, layer.detail);
    } else if (layer.state == "degraded") {
      report.degraded(layer.name, layer.detail);
    } else {
      try_one(layer.name, outside, report);
    }
  }
  auto handover = make_stream_socketpair();
  const pid_t worker = handover ? fork() : -1;
  if (worker == 0) {
    handover->first.reset();
    be_worker(recipe, {namespaces, capsule.has_root, capsule.ruleset.get(), "/"}, handover->second.get(), report);
    _exit(0);
  }
  if (worker < 0) return;
  handover->second.reset();
  guard(worker, handover->first.get(), namespaces);
}

}  // namespace

std::vector<Finding> probe_capsule(sandbox::Recipe& recipe) {
  Canaries canaries;
  set_out(canaries);
  const int memory = shmget(canaries.memory_key, 4096, IPC_CREAT | IPC_EXCL | 0600);
  Outcome outcome;
  for (const parked::Namespaces wanted :
       {parked::kAllNamespaces, parked::kAllNamespaces & ~parked::Namespaces{CLONE_NEWNET}, parked::kNoNamespaces}) {
    sandbox::complete_recipe(recipe, wanted);
    const sandbox::CapsuleRequest request{wanted, {getuid(), getgid()}, sandbox::IdMaps::kOwn};
    outcome = in_child([wanted] { return clone_with(wanted); },
                       [&](Reporter& report) { be_keeper(recipe, request, canaries, report); });
    if (!outcome.findings.empty()) break;
  }
  if (memory >= 0) shmctl(memory, IPC_RMID, nullptr);
  return outcome.findings;
}

}  // namespace capsule::doctor
