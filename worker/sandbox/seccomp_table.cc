#include "worker/sandbox/seccomp_table.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "worker/shared_mappings.h"

namespace capsule::sandbox::seccomp {
namespace {

// What CPython, numpy, pandas, matplotlib, libc and ordinary programs use, and what cannot reach further than the
// process itself, its own files and its own namespaces.
// clang-format off
constexpr std::string_view kAllowed[] = {
    // files
    "access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup", "dup2",
    "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchown",
    "fchownat", "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat", "fstatfs",
    "fsync", "ftruncate", "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "inotify_add_watch",
    "inotify_init", "inotify_init1", "inotify_rm_watch", "lchown", "lgetxattr", "link", "linkat", "listxattr",
    "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir", "mkdirat", "newfstatat", "open",
    "openat", "openat2", "pipe", "pipe2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2",
    "read", "readahead", "readlink", "readlinkat", "readv", "removexattr", "rename", "renameat", "renameat2",
    "rmdir", "sendfile", "setxattr", "stat", "statfs", "statx", "symlink", "symlinkat", "sync_file_range",
    "umask", "unlink", "unlinkat", "utime", "utimensat", "utimes", "write", "writev",
    // memory
    "brk", "membarrier", "memfd_create", "mincore", "mlock", "mlock2", "mlockall", "mmap", "mprotect",
    "mremap", "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect",
    // waiting
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd",
    "eventfd2", "poll", "ppoll", "pselect6", "restart_syscall", "select",
    // time
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday", "nanosleep",
    "setitimer", "time", "timerfd_create", "timerfd_gettime", "timerfd_settime", "times",
    // signals of its own
    "pause", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "sigaltstack", "signalfd", "signalfd4",
    // the process
    "arch_prctl", "capget", "capset", "exit", "exit_group", "get_robust_list", "getcpu", "getegid", "geteuid",
    "getgid", "getgroups", "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrandom", "getresgid",
    "getresuid", "getrlimit", "getrusage", "getsid", "gettid", "getuid", "ioprio_get", "landlock_add_rule",
    "landlock_create_ruleset", "landlock_restrict_self", "pidfd_open", "rseq", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler",
    "sched_rr_get_interval", "sched_yield", "set_robust_list", "set_tid_address", "setfsgid",
    "setfsuid", "setgid", "setgroups", "setpgid", "setregid", "setresgid", "setresuid", "setreuid", "setrlimit",
    "setsid", "setuid", "sysinfo", "uname", "wait4", "waitid",
    // sockets that are there
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom",
    "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socketpair",
};
// clang-format on

// Known and refused by name, so that a program hears "not permitted".
// clang-format off
constexpr std::string_view kRefused[] = {
    // mounts and roots
    "chroot", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree",
    "pivot_root", "swapoff", "swapon", "umount2", "quotactl", "quotactl_fd", "acct",
    // namespaces
    "unshare",
    // other processes, and what shows through them
    "kcmp", "migrate_pages", "move_pages", "perf_event_open", "pidfd_getfd", "pidfd_send_signal",
    "process_madvise", "process_mrelease", "process_vm_readv", "process_vm_writev", "ptrace",
    // the machine
    "adjtimex", "clock_adjtime", "clock_settime", "delete_module", "finit_module", "init_module", "ioperm",
    "iopl", "kexec_file_load", "kexec_load", "modify_ldt", "reboot", "sethostname", "setdomainname",
    "settimeofday", "syslog", "vhangup",
    // would flush other people's disks
    "sync", "syncfs",
    // kernel surface without use here: three of four known ways into the kernel
    "bpf", "fanotify_init", "fanotify_mark", "mbind", "memfd_secret", "name_to_handle_at", "open_by_handle_at",
    "remap_file_pages", "seccomp", "set_mempolicy", "set_mempolicy_home_node", "splice", "tee", "timer_create",
    "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime", "userfaultfd", "vmsplice",
    // memory that no process's size shows
    "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget",
    "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt", "shmget",
};
// clang-format on

// The default, written down where somebody may look for it.
// clang-format off
constexpr std::string_view kMissing[] = {
    "add_key", "clone3", "futex_waitv", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup",
    "io_submit", "io_uring_enter", "io_uring_register", "io_uring_setup", "keyctl", "request_key",
};
// clang-format on

constexpr std::string_view kKillFamily[] = {"kill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "tgkill", "tkill"};
constexpr std::string_view kForCopies = "for copies that the manager asked for";

Match equal(unsigned argument, uint64_t value) { return {Match::Kind::kEqual, argument, value, 0}; }
Match differs(unsigned argument, uint64_t value) { return {Match::Kind::kDiffers, argument, value, 0}; }
Match above(unsigned argument, uint64_t value) { return {Match::Kind::kAbove, argument, value, 0}; }
Match masked(unsigned argument, uint64_t mask, uint64_t value) {
  return {Match::Kind::kMaskedEqual, argument, value, mask};
}

class Table {
 public:
  void all(std::span<const std::string_view> calls, Action action) {
    for (const std::string_view call : calls) rows_.push_back({call, action, {}, {}});
  }
  void row(std::string_view call, Action action, std::vector<Match> matches = {}, std::string_view note = {}) {
    rows_.push_back({call, action, std::move(matches), note});
  }
  // One value of one argument a row.
  void each(std::string_view call, Action action, unsigned argument, std::span<const uint64_t> values,
            std::string_view note = {}) {
    for (const uint64_t value : values) row(call, action, {equal(argument, value)}, note);
  }
  std::vector<Row> take() && { return std::move(rows_); }

 private:
  std::vector<Row> rows_;
};

constexpr uint64_t kNewNamespaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
                                    CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWTIME;
constexpr uint64_t kEntered[] = {CLONE_NEWPID, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS};

// Threads always; processes if the profile says so; namespaces never.
void add_processes(const Policy& policy, Table& table) {
  const bool may = policy.subprocess == Subprocess::kAllowed;
  const uint64_t thread = may ? 0 : CLONE_THREAD;
  constexpr uint64_t kChecked = kNewNamespaces | CLONE_PARENT;
  table.row("clone", Action::kAllow, {masked(0, kChecked | thread, thread)},
            may ? "without new namespaces" : "threads only");
  table.row("clone", Action::kAsk, {masked(0, kChecked, CLONE_PARENT)}, kForCopies);
  for (uint64_t flag = 1; flag <= kNewNamespaces; flag <<= 1) {
    if ((kNewNamespaces & flag) != 0) table.row("clone", Action::kRefuse, {masked(0, flag, flag)}, "new namespaces");
  }
  if (!may) table.row("clone", Action::kRefuse, {masked(0, CLONE_THREAD | CLONE_PARENT, 0)}, "processes");
  // Whoever has no power in a namespace cannot enter it; entering its user namespace is what gives that power. The
  // argument has to name the kind: 0 stands for any, and of a pidfd several at once may be meant.
  table.row("setns", Action::kAsk, {equal(1, CLONE_NEWUSER)}, kForCopies);
  table.each("setns", Action::kAllow, 1, kEntered, "with power there");
  table.row("setns", Action::kRefuse, {equal(1, 0)}, "any kind");
  for (const std::string_view call : {"execve", "execveat", "fork", "vfork"}) {
    table.row(call, may ? Action::kAllow : Action::kRefuse);
  }
}

// TCP and UDP of one family, and nothing else of it.
void add_internet(uint64_t family, Table& table) {
  constexpr uint64_t kTypeMask = 0xf;  // above it are SOCK_CLOEXEC and SOCK_NONBLOCK
  constexpr uint64_t kTcp = 6, kUdp = 17, kMptcp = 262;
  const auto row = [&](Action action, uint64_t type, uint64_t protocol, std::string_view note) {
    table.row("socket", action, {equal(0, family), masked(1, kTypeMask, type), equal(2, protocol)}, note);
  };
  for (const uint64_t protocol : {uint64_t{0}, kTcp}) row(Action::kAllow, SOCK_STREAM, protocol, "TCP");
  for (const uint64_t protocol : {uint64_t{0}, kUdp}) row(Action::kAllow, SOCK_DGRAM, protocol, "UDP");
  row(Action::kRefuse, SOCK_STREAM, kMptcp, "MPTCP: Landlock's TCP rules do not see it");
  table.row("socket", Action::kRefuse, {equal(0, family), masked(1, kTypeMask, SOCK_RAW)}, "raw sockets");
}

void add_sockets(const Policy& policy, Surroundings surroundings, Table& table) {
  constexpr std::string_view kOthers = "other socket families";
  const Action local = surroundings.sockets == Sockets::kLocal ? Action::kAllow : Action::kRefuse;
  table.row("socket", local, {equal(0, AF_UNIX)}, "local sockets");
  if (policy.network == Network::kNone) return table.row("socket", Action::kRefuse, {differs(0, AF_UNIX)}, kOthers);
  for (uint64_t family = 0; family <= AF_INET6; ++family) {
    if (family == AF_INET || family == AF_INET6) {
      add_internet(family, table);
    } else if (family != AF_UNIX) {
      table.row("socket", Action::kRefuse, {equal(0, family)}, kOthers);
    }
  }
  table.row("socket", Action::kRefuse, {above(0, AF_INET6)}, kOthers);
}

// Signals by way of a descriptor would go round the keeper; larger pipes would use up a budget that all capsules share.
void add_descriptor_controls(Table& table) {
  constexpr uint64_t kControls[] = {F_DUPFD,      F_GETFD,     F_SETFD,     F_GETFL,      F_SETFL,
                                    F_GETLK,      F_SETLK,     F_SETLKW,    F_GETOWN,     F_GETSIG,
                                    F_GETOWN_EX,  F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_DUPFD_CLOEXEC,
                                    F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS, F_GETLEASE};
  constexpr uint64_t kSignals[] = {F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY};
  constexpr uint64_t kPipeSize[] = {F_SETPIPE_SZ};
  table.each("fcntl", Action::kAllow, 1, kControls);
  table.each("fcntl", Action::kRefuse, 1, kSignals, "signals that the keeper would not see");
  table.each("fcntl", Action::kRefuse, 1, kPipeSize, "the budget of pipe pages is the user's, not the capsule's");
  constexpr uint64_t kQueries[] = {TCGETS,      TIOCGWINSZ,    FIONREAD,     TIOCOUTQ,    FIONBIO,
                                   FIOCLEX,     FIONCLEX,      TIOCGPGRP,    FIOQSIZE,    TIOCGSID,
                                   SIOCGIFCONF, SIOCGIFNAME,   SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFNETMASK,
                                   SIOCGIFMTU,  SIOCGIFHWADDR, SIOCGIFINDEX, SIOCATMARK};
  constexpr uint64_t kOwners[] = {FIOSETOWN, SIOCSPGRP, FIOASYNC};
  constexpr uint64_t kTerminals[] = {TIOCSTI, TIOCSCTTY, TIOCSETD, TIOCCONS, 0x541C /* TIOCLINUX */};
  table.each("ioctl", Action::kAllow, 1, kQueries);
  table.row("ioctl", Action::kAllow, {equal(1, kProcmapQuery)}, "one's own mappings, which /proc/self/maps lists too");
  table.each("ioctl", Action::kRefuse, 1, kOwners, "signals that the keeper would not see");
  table.each("ioctl", Action::kRefuse, 1, kTerminals, "input for somebody else's terminal");
}

// The part of prctl that is about the caller alone. Dumpable stays as it is: the manager reads a worker's /proc.
void add_prctl(Table& table) {
  constexpr uint64_t kOwn[] = {
      PR_SET_PDEATHSIG,   PR_GET_PDEATHSIG,       PR_GET_DUMPABLE,        PR_GET_KEEPCAPS,         PR_SET_NAME,
      PR_GET_NAME,        PR_GET_SECCOMP,         PR_CAPBSET_READ,        PR_GET_SECUREBITS,       PR_SET_TIMERSLACK,
      PR_GET_TIMERSLACK,  PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS,     PR_GET_NO_NEW_PRIVS,
      PR_GET_TID_ADDRESS, PR_SET_THP_DISABLE,     PR_GET_THP_DISABLE,     PR_GET_SPECULATION_CTRL, PR_CAP_AMBIENT,
      0x53564d41 /* PR_SET_VMA */};
  constexpr uint64_t kOthers[] = {PR_SET_SECCOMP,
                                  PR_SET_PTRACER,
                                  PR_SET_MM,
                                  PR_CAPBSET_DROP,
                                  PR_SET_SECUREBITS,
                                  PR_SET_KEEPCAPS,
                                  PR_SET_TSC,
                                  PR_SET_SPECULATION_CTRL,
                                  PR_SET_IO_FLUSHER,
                                  PR_MCE_KILL,
                                  PR_SET_SYSCALL_USER_DISPATCH,
                                  PR_SCHED_CORE};
  table.each("prctl", Action::kAllow, 0, kOwn);
  table.each("prctl", Action::kRefuse, 0, kOthers);
  table.row("prctl", Action::kAsk, {equal(0, PR_SET_DUMPABLE)}, kForCopies);
}

// Its own scheduling and limits, by the number that means "myself"; not those of a pid, which may be the keeper's.
void add_own_only(Table& table) {
  for (const std::string_view call : {"prlimit64", "sched_setattr", "sched_setparam", "sched_setscheduler"}) {
    table.row(call, Action::kAllow, {equal(0, 0)}, "its own");
    table.row(call, Action::kRefuse, {differs(0, 0)}, "another process by its pid");
  }
  for (const auto& [call, process] : {std::pair{"setpriority", 0u}, std::pair{"ioprio_set", 1u}}) {
    table.row(call, Action::kAllow, {equal(0, process), equal(1, 0)}, "its own");
    table.row(call, Action::kRefuse, {equal(0, process), differs(1, 0)}, "another process by its pid");
    table.row(call, Action::kRefuse, {differs(0, process)}, "groups and users");
  }
}

// By either of its own names, as programs and libraries call it; of any other process it does not exist.
void add_affinity(Table& table) {
  table.row("sched_setaffinity", Action::kAllow, {equal(0, 0)}, "its own");
  table.row("sched_setaffinity", Action::kAsk, {differs(0, 0)}, "threads of its own process");
}

void add_files(Surroundings surroundings, Table& table) {
  constexpr uint64_t kTypes[] = {0, S_IFREG, S_IFIFO, S_IFSOCK};
  constexpr uint64_t kDevices[] = {S_IFCHR, S_IFBLK};
  for (const auto& [call, argument] : {std::pair{"mknod", 1u}, std::pair{"mknodat", 2u}}) {
    for (const uint64_t type : kTypes) table.row(call, Action::kAllow, {masked(argument, S_IFMT, type)});
    for (const uint64_t type : kDevices) table.row(call, Action::kRefuse, {masked(argument, S_IFMT, type)}, "devices");
  }
  const bool seen = surroundings.landlock_abi >= 3;
  table.row("truncate", seen ? Action::kAllow : Action::kRefuse, {},
            seen ? "" : "Landlock below ABI 3 does not see it");
}

// All but requeueing between priority-inheritance locks, which libc does not use. Operations 0 to 7 are decided by one
// comparison: locks are the hot path.
void add_futex(Table& table) {
  constexpr uint64_t kCommandMask = 0x7f, kLowCommands = 0x78;
  table.row("futex", Action::kAllow, {masked(1, kLowCommands, 0)});
  for (const uint64_t command : {8, 9, 10, 13}) table.row("futex", Action::kAllow, {masked(1, kCommandMask, command)});
}

// All advice but that which makes a copy of the process lack memory (MADV_DONTFORK 10, MADV_WIPEONFORK 18): snapshots
// and forks are copies. The kernel looks at the lower half of the register; a row is a range of values.
void add_memory_advice(Table& table) {
  constexpr std::pair<uint64_t, uint64_t> kFirstAndCount[] = {{0, 8},  {8, 2},  {11, 1}, {12, 4},
                                                              {16, 2}, {19, 1}, {20, 4}, {24, 8}};
  for (const auto& [first, count] : kFirstAndCount) {
    table.row("madvise", Action::kAllow, {masked(2, 0xffffffff & ~(count - 1), first)});
  }
  for (const uint64_t advice : {10, 18}) {
    table.row("madvise", Action::kRefuse, {masked(2, 0xffffffff, advice)}, "copies would lack memory");
  }
}

void add_personality(Table& table) {
  constexpr uint64_t kPlain[] = {0, 0xffffffff /* asks */};
  table.each("personality", Action::kAllow, 0, kPlain);
}

}  // namespace

std::string_view to_string(Action action) {
  switch (action) {
    case Action::kAllow: return "allow";
    case Action::kRefuse: return "eperm";
    case Action::kMissing: return "enosys";
    case Action::kAsk: return "notify";
  }
  return "enosys";
}

std::vector<Row> make_table(const Policy& policy, Surroundings surroundings) {
  Table table;
  table.all(kAllowed, Action::kAllow);
  table.all(kRefused, Action::kRefuse);
  table.all(kMissing, Action::kMissing);
  table.all(kKillFamily, Action::kAsk);
  add_processes(policy, table);
  add_sockets(policy, surroundings, table);
  add_descriptor_controls(table);
  add_prctl(table);
  add_own_only(table);
  add_affinity(table);
  add_files(surroundings, table);
  add_futex(table);
  add_memory_advice(table);
  add_personality(table);
  return std::move(table).take();
}

}  // namespace capsule::sandbox::seccomp
