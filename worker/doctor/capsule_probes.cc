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

constexpr const char* kHostPlaces[] = {"/var/lib", "/home", "/root", "/boot", "/srv"};  // no capsule has any
constexpr const char* kOthersFile = "/usr";                                             // seen from inside, too
constexpr uid_t kNobody = 65534;                                                        // who is not in the id maps
constexpr milliseconds kGuardPatience{1000};

// Things outside that nothing inside may reach.
struct Canaries {
  pid_t pid = getpid();
  std::string host_place;
  ino_t user_namespace = 0;
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

bool is_gone(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) != 0;
}

ino_t own_user_namespace() {
  struct stat info {};
  return stat("/proc/self/ns/user", &info) == 0 ? info.st_ino : 0;
}

// Becomes one, where nobody goes on as that; else says who owns what it does not own itself.
bool can_be_another_user() {
  struct stat info {};
  if (getuid() != 0) {
    return stat(kOthersFile, &info) == 0 && info.st_uid != getuid() && info.st_uid != kNobody;
  }
  const pid_t child = fork();
  if (child == 0) _exit(setuid(1) == 0 ? 0 : 1);
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

// Whoever makes a user namespace has every capability in it, until they are dropped.
bool can_change_root() {
  const pid_t child = fork();
  if (child == 0) _exit(chroot("/") == 0 ? 0 : 1);
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

void set_out(Canaries& canaries) {
  for (const char* place : kHostPlaces) {
    if (canaries.host_place.empty() && !is_gone(place)) canaries.host_place = place;
  }
  canaries.user_namespace = own_user_namespace();
  canaries.listener = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(canaries.socket_name);
  if (bind(canaries.listener.get(), reinterpret_cast<const sockaddr*>(&address), size_of(canaries.socket_name)) == 0) {
    listen(canaries.listener.get(), 2);  // the one outside stays in the queue
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

// The same acts where nothing forbids them. What fails there as well would prove nothing inside.
Controls try_outside(const Canaries& canaries) {
  return {{"pidns", kill(canaries.pid, 0) == 0},
          {"netns", can_connect(canaries.socket_name)},
          {"ipcns", shmget(canaries.memory_key, 0, 0) >= 0},
          {"userns", can_be_another_user()},
          {"mountns", !canaries.host_place.empty()},
          {"root", !canaries.host_place.empty()},
          {"proc", !is_gone("/proc/" + std::to_string(canaries.pid) + "/stat")}};
}

void try_user_namespace(const Canaries& outside, Reporter& report) {
  const bool is_refused = setuid(getuid() == 0 ? 1 : 0) != 0 && !can_be_another_user();
  if (report.succeeds_outside("userns")) {
    return report.tried("userns", is_refused, "other users can neither be become nor named");
  }
  const ino_t own = own_user_namespace();  // outside there is nobody else either: a namespace with one user
  report.proved("userns", is_refused && own != 0 && own != outside.user_namespace,
                "it is another namespace than outside, where no other user can be had either");
}

// What the keeper tries after its layers are in place. `name`'s forbidden act, and whether it was refused.
void try_one(const std::string& name, const Canaries& outside, Reporter& report) {
  char host[HOST_NAME_MAX + 1] = {};
  if (name == "userns") return try_user_namespace(outside, report);
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
    const bool closed = is_gone(outside.host_place) && mkdir("/usr/capsule-doctor", 0700) != 0;
    return report.tried(name, closed, outside.host_place + " is not there, and /usr cannot be written to");
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
  if (parked::has(namespaces, CLONE_NEWUSER)) report.expect("capabilities", can_change_root());
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
  const Controls controls = try_outside(canaries);
  Outcome outcome;
  for (const parked::Namespaces wanted : parked::kChoices) {
    sandbox::complete_recipe(recipe, wanted);
    const sandbox::CapsuleRequest request{wanted, {getuid(), getgid()}, sandbox::IdMaps::kOwn};
    outcome = in_child([wanted] { return clone_with(wanted); },
                       [&](Reporter& report) {
                         report.expect(controls);
                         be_keeper(recipe, request, canaries, report);
                       });
    if (!outcome.findings.empty()) break;
  }
  if (memory >= 0) shmctl(memory, IPC_RMID, nullptr);
  return outcome.findings;
}

}  // namespace capsule::doctor
