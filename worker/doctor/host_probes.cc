#include "worker/doctor/host_probes.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include "base/posix_io.h"
#include "worker/sandbox/descriptors.h"
#include "worker/sandbox/landlock.h"
#include "worker/sandbox/privileges.h"

namespace capsule::doctor {
namespace {

constexpr const char* kReadableFile = "/etc/passwd";
constexpr int kUnknownCall = 1023;

void try_descriptors(Reporter& report) {
  const int left_open = fcntl(STDERR_FILENO, F_DUPFD, 50);
  sandbox::close_all_but({report.pipe()});
  report.tried("descriptors", fcntl(left_open, F_GETFD) < 0, "a descriptor left open on purpose is gone");
}

void try_environment(Reporter& report) {
  setenv("CAPSULE_DOCTOR", "canary", 1);
  clearenv();
  report.tried("environment", std::getenv("CAPSULE_DOCTOR") == nullptr, "a variable set on purpose is gone");
}

void try_landlock(const sandbox::landlock::Proof& proof, Reporter& report) {
  const int abi = proof.abi;
  if (abi < 1 && proof.claimed > 0) {
    return report.off("landlock", "the kernel claims version " + std::to_string(proof.claimed) +
                                      ", but did not refuse what the first one refuses");
  }
  const auto rules = sandbox::landlock::make_ruleset({}, {}, sandbox::landlock::Scopes::kNone, abi);
  if (!rules) return report.off("landlock", rules.error().message);
  (void)sandbox::no_new_privileges();
  if (const Status done = sandbox::landlock::restrict_self(rules->get()); !done) {
    return report.off("landlock", done.error().message);
  }
  const UniqueFd file(open(kReadableFile, O_RDONLY | O_CLOEXEC));
  report.tried("landlock", !file && errno == EACCES,
               "ABI " + std::to_string(abi) + " of the " + std::to_string(proof.claimed) +
                   " that the kernel claims: a file that everybody may read could not be opened, and what each version "
                   "adds was refused");
}

void try_seccomp(const Result<sandbox::seccomp::Program>& program, Reporter& report) {
  if (!program) return report.off("seccomp", program.error().message);
  (void)sandbox::no_new_privileges();
  const auto listener = sandbox::seccomp::load(*program);
  if (!listener) return report.off("seccomp", listener.error().message);
  const bool socket_refused = socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM;
  const bool unknown = syscall(kUnknownCall) < 0 && errno == ENOSYS;
  report.tried("seccomp", socket_refused && unknown, "an internet socket and an unknown system call are refused");
#if defined(__x86_64__)
  asm volatile("int $0x80" : : "a"(20));  // getpid by the 32-bit entry: this line must not be survived
#else
  raise(SIGSYS);
#endif
}

std::vector<Finding> probe_seccomp(const Result<sandbox::seccomp::Program>& program) {
  Outcome outcome = in_child(::fork, [&](Reporter& report) { try_seccomp(program, report); });
  const bool killed = WIFSIGNALED(outcome.wait_status) && WTERMSIG(outcome.wait_status) == SIGSYS;
  for (Finding& found : outcome.findings) {
    if (found.state != "on" || killed) continue;
    found = {"seccomp", "off", "", "a system call of another architecture did not end the process", ""};
  }
  return outcome.findings;
}

}  // namespace

std::vector<Finding> probe_host(const sandbox::Recipe& recipe) {
  std::vector<Finding> all;
  const auto add = [&all](std::vector<Finding> more) { all.insert(all.end(), more.begin(), more.end()); };
  add(in_child(::fork, try_descriptors).findings);
  add(in_child(::fork, try_environment).findings);
  add(in_child(::fork, [&recipe](Reporter& report) { try_landlock(recipe.landlock, report); }).findings);
  add(probe_seccomp(recipe.local_sockets));
  return all;
}

}  // namespace capsule::doctor
