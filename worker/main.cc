// capsule-worker: started by the manager with its link on descriptor 3, never by hand.
//
//   capsule-worker [--user UID]            UID: become this user and group first (when the manager runs as root)
//   capsule-worker [--user UID] --doctor   what can be had of the sandbox here, as JSON
//   capsule-worker --seccomp-table         the system call policy, as JSON lines

#include <grp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "worker/doctor/doctor.h"
#include "worker/sandbox/descriptors.h"
#include "worker/zygote.h"

namespace {

constexpr int kLinkFd = 3;
constexpr int kUsageStatus = 64;  // EX_USAGE
constexpr int kNoPermissionStatus = 77;

bool become_user(const char* text) {
  char* end = nullptr;
  const auto id = static_cast<unsigned>(std::strtoul(text, &end, 10));
  if (end == text || *end != '\0' || id == 0) return false;
  if (setgroups(0, nullptr) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0) return false;
  // Changing the user clears this, and then even a process's own id maps cannot be written.
  return prctl(PR_SET_DUMPABLE, 1) == 0;
}

// What the manager's launcher ignored or blocked must not reach programs.
void reset_signals() {
  for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string_view> words(argv + 1, argv + argc);
  const bool is_zygote = words.empty() || !words.back().starts_with("--");
  // First act of a zygote: whatever the manager's launcher let through is closed.
  if (is_zygote) capsule::sandbox::close_all_but({kLinkFd});
  if (words.size() >= 2 && words[0] == "--user") {
    if (!become_user(argv[2])) {
      std::perror("capsule-worker: cannot change user");
      return kNoPermissionStatus;
    }
    words.erase(words.begin(), words.begin() + 2);
  }
  if (words == std::vector<std::string_view>{"--doctor"}) return capsule::run_doctor();
  if (words == std::vector<std::string_view>{"--seccomp-table"}) return capsule::print_seccomp_table();
  int type = 0;
  socklen_t size = sizeof type;
  if (!words.empty() || getsockopt(kLinkFd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    std::fputs("capsule-worker is started by capsule-manager; see `capsule serve --help`\n", stderr);
    return kUsageStatus;
  }
  reset_signals();
  setsid();                          // Ctrl-C at the manager's terminal is for the manager
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // after the change of user, which clears it
  return capsule::serve_as_zygote(capsule::UniqueFd(kLinkFd));
}
