#include "worker/sandbox/seccomp.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>

namespace capsule::sandbox::seccomp {
namespace {

constexpr uint32_t kSearchTree = 2;  // a binary tree over call numbers: half the time to load, and shorter paths
constexpr int kNumbers = 1024;
constexpr size_t kInstructionsMax = 4096;  // BPF_MAXINSNS

struct Release {
  void operator()(void* context) const { seccomp_release(context); }
};

uint32_t to_libseccomp(Action action) {
  switch (action) {
    case Action::kAllow: return SCMP_ACT_ALLOW;
    case Action::kRefuse: return SCMP_ACT_ERRNO(EPERM);
    case Action::kMissing: return SCMP_ACT_ERRNO(ENOSYS);
    case Action::kAsk: return SCMP_ACT_NOTIFY;
  }
  return SCMP_ACT_ERRNO(ENOSYS);
}

scmp_arg_cmp to_libseccomp(const Match& match) {
  scmp_arg_cmp compare{};
  compare.arg = match.argument;
  compare.datum_a = match.value;
  switch (match.kind) {
    case Match::Kind::kEqual: compare.op = SCMP_CMP_EQ; break;
    case Match::Kind::kDiffers: compare.op = SCMP_CMP_NE; break;
    case Match::Kind::kAbove: compare.op = SCMP_CMP_GT; break;
    case Match::Kind::kNothing:
    case Match::Kind::kMaskedEqual:
      compare.op = SCMP_CMP_MASKED_EQ;
      compare.datum_a = match.mask;
      compare.datum_b = match.value;
      break;
  }
  return compare;
}

tl::unexpected<Error> trouble(std::string what, int negative_errno) {
  return failure(Errc::kSystem, std::move(what) + ": " + std::strerror(-negative_errno));
}

Status add_row(scmp_filter_ctx context, const Row& row) {
  if (row.action == Action::kMissing) return {};  // the default
  const int number = seccomp_syscall_resolve_name(std::string(row.call).c_str());
  if (number < 0) return {};  // not on this architecture, or newer than the library: it stays missing
  std::vector<scmp_arg_cmp> compares;
  for (const Match& match : row.matches) compares.push_back(to_libseccomp(match));
  const int added = seccomp_rule_add_exact_array(context, to_libseccomp(row.action), number,
                                                 static_cast<unsigned>(compares.size()), compares.data());
  if (added != 0) return trouble("seccomp rule for " + std::string(row.call), added);
  return {};
}

Result<Program> read_program(int file) {
  const off_t size = lseek(file, 0, SEEK_END);
  if (size <= 0 || static_cast<size_t>(size) > kInstructionsMax * sizeof(sock_filter)) {
    return failure(Errc::kSystem, "the seccomp filter has no size that the kernel takes");
  }
  Program program(static_cast<size_t>(size) / sizeof(sock_filter));
  if (pread(file, program.data(), static_cast<size_t>(size), 0) != size) return system_failure("read the filter");
  return program;
}

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace

Result<Program> compile(const std::vector<Row>& table) {
  const std::unique_ptr<void, Release> context(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
  if (!context) return failure(Errc::kSystem, "libseccomp cannot make a filter");
  int status = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (status == 0) status = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, kSearchTree);
  if (status != 0) return trouble("libseccomp attribute", status);
  for (const Row& row : table) {
    if (auto added = add_row(context.get(), row); !added) return tl::unexpected<Error>(added.error());
  }
  const UniqueFd file(memfd_create("capsule-seccomp", MFD_CLOEXEC));
  if (!file) return system_failure("memfd for the filter");
  status = seccomp_export_bpf(context.get(), file.get());
  if (status != 0) return trouble("seccomp_export_bpf", status);
  return read_program(file.get());
}

Result<UniqueFd> load(const Program& program) {
  const sock_fprog given{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  // Once the keeper has taken a call up, only death interrupts the caller: or a signal it sends itself would make its
  // own kill(2) fail with EINTR. Kernels before 5.19 do not know the flag.
  constexpr unsigned kListen = SECCOMP_FILTER_FLAG_NEW_LISTENER;
  long listener =
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kListen | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &given);
  if (listener < 0 && errno == EINVAL) listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kListen, &given);
  if (listener < 0) return system_failure("load the seccomp filter");
  return UniqueFd(static_cast<int>(listener));
}

std::string describe(const std::vector<Row>& table) {
  std::map<int, const Row*> rows;
  for (const Row& row : table) {
    const int number = seccomp_syscall_resolve_name(std::string(row.call).c_str());
    if (number >= 0) rows.emplace(number, &row);
  }
  std::string lines;
  for (int number = 0; number < kNumbers; ++number) {
    const auto found = rows.find(number);
    std::string name, note = "not in the policy";
    std::string_view action = to_string(Action::kMissing);
    if (found != rows.end()) {
      const Row& row = *found->second;
      name = row.call;
      note = row.note;
      action = row.matches.empty() ? to_string(row.action) : "arguments";
    }
    lines += "{\"nr\":" + std::to_string(number) + ",\"name\":" + quoted(name) + ",\"action\":" + quoted(action) +
             ",\"note\":" + quoted(note) + "}\n";
  }
  return lines;
}

}  // namespace capsule::sandbox::seccomp
