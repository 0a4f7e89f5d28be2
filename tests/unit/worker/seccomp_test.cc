// The compiled filter does what the table says: an interpreter of classic BPF runs it on the calls themselves.
#include "worker/sandbox/seccomp.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>

namespace capsule::sandbox::seccomp {
namespace {

constexpr uint32_t kEperm = SECCOMP_RET_ERRNO | EPERM;
constexpr uint32_t kEnosys = SECCOMP_RET_ERRNO | ENOSYS;

// bpf(4), as far as seccomp allows it and libseccomp uses it.
uint32_t run(const Program& program, const seccomp_data& data) {
  uint32_t accumulator = 0;
  for (size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    const auto jump = [&](bool taken) { at += taken ? step.jt : step.jf; };
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        REQUIRE(step.k + sizeof accumulator <= sizeof data);
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + step.k, sizeof accumulator);
        break;
      case BPF_ALU | BPF_AND | BPF_K: accumulator &= step.k; break;
      case BPF_JMP | BPF_JA: at += step.k; break;
      case BPF_JMP | BPF_JEQ | BPF_K: jump(accumulator == step.k); break;
      case BPF_JMP | BPF_JGT | BPF_K: jump(accumulator > step.k); break;
      case BPF_JMP | BPF_JGE | BPF_K: jump(accumulator >= step.k); break;
      case BPF_JMP | BPF_JSET | BPF_K: jump((accumulator & step.k) != 0); break;
      case BPF_RET | BPF_K: return step.k;
      default: FAIL("an instruction that is not interpreted: " << step.code);
    }
  }
  FAIL("the filter ended without an answer");
  return 0;
}

Program compiled(const Policy& policy, Surroundings surroundings) {
  auto program = compile(make_table(policy, surroundings));
  REQUIRE(program);
  return *program;
}

const Program& usual() {
  static const Program kProgram = compiled({}, {Sockets::kLocal, 7});
  return kProgram;
}

struct Arguments {
  uint64_t values[6] = {};
};
uint32_t call(const Program& program, long number, Arguments arguments = {},
              uint32_t architecture = AUDIT_ARCH_X86_64) {
  seccomp_data data{};
  data.nr = static_cast<int>(number);
  data.arch = architecture;
  std::memcpy(data.args, arguments.values, sizeof data.args);
  return run(program, data);
}

uint32_t answer_of(Action action) {
  switch (action) {
    case Action::kAllow: return SECCOMP_RET_ALLOW;
    case Action::kRefuse: return kEperm;
    case Action::kMissing: return kEnosys;
    case Action::kAsk: return SECCOMP_RET_USER_NOTIF;
  }
  return 0;
}

}  // namespace

TEST_CASE("each call that is decided without its arguments is answered as its row says") {
  size_t checked = 0;
  for (const Row& row : make_table({}, {Sockets::kLocal, 7})) {
    const int number = seccomp_syscall_resolve_name(std::string(row.call).c_str());
    if (!row.matches.empty() || number < 0) continue;
    INFO(row.call);
    CHECK(call(usual(), number) == answer_of(row.action));
    ++checked;
  }
  CHECK(checked > 300);
}

TEST_CASE("no call has two rows without arguments, and each name is known to the library") {
  std::map<std::string_view, int> rows;
  for (const Row& row : make_table({}, {Sockets::kLocal, 7})) {
    INFO(row.call);
    CHECK(seccomp_syscall_resolve_name(std::string(row.call).c_str()) != __NR_SCMP_ERROR);
    if (row.matches.empty()) CHECK(++rows[row.call] == 1);
  }
}

TEST_CASE("a number that is in no row does not exist") {
  for (long number = 460; number < 1024; ++number) CHECK(call(usual(), number) == kEnosys);
}

TEST_CASE("entries of another architecture kill the process, whatever the number") {
  for (long number = 0; number < 1024; ++number) {
    CHECK(call(usual(), number, {}, AUDIT_ARCH_I386) == SECCOMP_RET_KILL_PROCESS);
    CHECK(call(usual(), number | 0x40000000) == SECCOMP_RET_KILL_PROCESS);  // x32
  }
}

TEST_CASE("memory may be advised in every way but those that a copy would lack it by") {
  for (uint64_t advice = 0; advice < 32; ++advice) {
    INFO(advice);
    const uint32_t answer = advice == MADV_DONTFORK || advice == MADV_WIPEONFORK ? kEperm : SECCOMP_RET_ALLOW;
    CHECK(call(usual(), SYS_madvise, {{0x1000, 0x1000, advice}}) == answer);
    CHECK(call(usual(), SYS_madvise, {{0x1000, 0x1000, advice | 1ull << 32}}) == answer);
  }
  for (const uint64_t advice : {32, 100, 101}) CHECK(call(usual(), SYS_madvise, {{0, 0, advice}}) == kEnosys);
}

TEST_CASE("the kill family is the keeper's to answer") {
  for (const long number : {SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo}) {
    CHECK(call(usual(), number, {{1, 9}}) == SECCOMP_RET_USER_NOTIF);
  }
}

TEST_CASE("without a network only local sockets are to be had, of every type") {
  for (uint64_t family = 0; family <= 45; ++family) {
    for (uint64_t type = 0; type <= 10; ++type) {
      INFO(family << " " << type);
      CHECK(call(usual(), SYS_socket, {{family, type, 0}}) == (family == AF_UNIX ? SECCOMP_RET_ALLOW : kEperm));
    }
  }
  CHECK(call(usual(), SYS_socket, {{(1ULL << 32) | AF_INET, SOCK_STREAM, 0}}) == kEperm);
}

TEST_CASE("with a network TCP and UDP are, and neither raw sockets nor MPTCP nor other families") {
  Policy policy;
  policy.network = Network::kLoopback;
  const Program program = compiled(policy, {Sockets::kLocal, 7});
  for (const uint64_t family : {AF_INET, AF_INET6}) {
    CHECK(call(program, SYS_socket, {{family, SOCK_STREAM | SOCK_CLOEXEC, 0}}) == SECCOMP_RET_ALLOW);
    CHECK(call(program, SYS_socket, {{family, SOCK_DGRAM, 17}}) == SECCOMP_RET_ALLOW);
    CHECK(call(program, SYS_socket, {{family, SOCK_RAW, 1}}) == kEperm);
    CHECK(call(program, SYS_socket, {{family, SOCK_STREAM, 262}}) == kEperm);
    CHECK(call(program, SYS_socket, {{family, SOCK_STREAM, 132}}) == kEnosys);  // SCTP
  }
  for (const uint64_t family : {AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK, AF_BLUETOOTH, 300}) {
    CHECK(call(program, SYS_socket, {{family, SOCK_RAW, 0}}) == kEperm);
  }
}

TEST_CASE("without a network namespace there are no sockets by name at all, but pairs") {
  const Program program = compiled({}, {Sockets::kNone, 7});
  CHECK(call(program, SYS_socket, {{AF_UNIX, SOCK_STREAM, 0}}) == kEperm);
  CHECK(call(program, SYS_socketpair, {{AF_UNIX, SOCK_STREAM, 0}}) == SECCOMP_RET_ALLOW);
}

TEST_CASE("new namespaces are refused in every combination, threads and processes are not") {
  for (const uint64_t flag :
       {CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP}) {
    CHECK(call(usual(), SYS_clone, {{flag | SIGCHLD}}) == kEperm);
    CHECK(call(usual(), SYS_clone, {{flag | CLONE_THREAD | CLONE_VM | CLONE_SIGHAND}}) == kEperm);
  }
  CHECK(call(usual(), SYS_clone, {{SIGCHLD}}) == SECCOMP_RET_ALLOW);
  CHECK(call(usual(), SYS_clone3) == kEnosys);
}

TEST_CASE("a profile without subprocesses has threads only") {
  Policy policy;
  policy.subprocess = Subprocess::kRefused;
  const Program program = compiled(policy, {Sockets::kLocal, 7});
  CHECK(call(program, SYS_clone, {{CLONE_THREAD | CLONE_VM | CLONE_SIGHAND}}) == SECCOMP_RET_ALLOW);
  CHECK(call(program, SYS_clone, {{CLONE_THREAD | CLONE_NEWUSER}}) == kEperm);
  CHECK(call(program, SYS_clone, {{SIGCHLD}}) == kEperm);
  for (const long number : {SYS_fork, SYS_vfork, SYS_execve, SYS_execveat}) CHECK(call(program, number) == kEperm);
}

TEST_CASE("signals through a descriptor and larger pipes are refused") {
  for (const uint64_t command : {F_SETOWN, F_SETSIG, F_SETOWN_EX, F_NOTIFY, F_SETPIPE_SZ}) {
    CHECK(call(usual(), SYS_fcntl, {{0, command}}) == kEperm);
  }
  for (const uint64_t command : {F_DUPFD_CLOEXEC, F_SETFL, F_SETLKW, F_GETPIPE_SZ}) {
    CHECK(call(usual(), SYS_fcntl, {{0, command}}) == SECCOMP_RET_ALLOW);
  }
}

TEST_CASE("limits and priorities are its own only") {
  CHECK(call(usual(), SYS_prlimit64, {{0, 7}}) == SECCOMP_RET_ALLOW);
  CHECK(call(usual(), SYS_prlimit64, {{1, 0}}) == kEperm);
  CHECK(call(usual(), SYS_setpriority, {{0, 0, 5}}) == SECCOMP_RET_ALLOW);
  CHECK(call(usual(), SYS_setpriority, {{0, 1, 5}}) == kEperm);
  CHECK(call(usual(), SYS_setpriority, {{2, 0, 5}}) == kEperm);
}

TEST_CASE("locks wait and wake, but do not requeue between owners") {
  for (const uint64_t operation : {0, 1, 3, 6, 7, 9, 10, 128 | 9, 256 | 128 | 9, 13}) {
    CHECK(call(usual(), SYS_futex, {{0, operation}}) == SECCOMP_RET_ALLOW);
  }
  for (const uint64_t operation : {11, 12, 128 | 11}) CHECK(call(usual(), SYS_futex, {{0, operation}}) == kEnosys);
}

TEST_CASE("truncation by name is left to Landlock only where Landlock sees it") {
  CHECK(call(usual(), SYS_truncate) == SECCOMP_RET_ALLOW);
  CHECK(call(compiled({}, {Sockets::kLocal, 2}), SYS_truncate) == kEperm);
}

TEST_CASE("the table for people has a line for each number") {
  const std::string lines = describe(make_table({}, {Sockets::kLocal, 7}));
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 1024);
  CHECK(lines.find(R"({"nr":101,"name":"ptrace","action":"eperm")") != std::string::npos);
  CHECK(lines.find(R"({"nr":41,"name":"socket","action":"arguments")") != std::string::npos);
}

}  // namespace capsule::sandbox::seccomp
