#include "manager/pool/proc_stats.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>

#include "base/posix_io.h"

namespace capsule {
namespace {

constexpr size_t kProcFileBytes = 16u << 10;

// proc(5), /proc/pid/stat: the fields after the name, which may itself contain spaces and parentheses.
class StatFields {
 public:
  explicit StatFields(std::string_view text) : rest_(text.substr(std::min(text.rfind(')'), text.size()))) {}

  // `number` as in proc(5), where the state is field 3; to be asked for in growing order.
  uint64_t at(int number) {
    for (; field_ < number && !rest_.empty(); ++field_) {
      const size_t space = rest_.find(' ');
      rest_.remove_prefix(space == std::string_view::npos ? rest_.size() : space + 1);
    }
    uint64_t value = 0;
    std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    return value;
  }

 private:
  std::string_view rest_;
  int field_ = 2;
};

std::string rest_of_line(const std::string& text, std::string_view key) {
  const size_t at = text.find(key);
  if (at == std::string::npos) return {};
  const size_t begin = at + key.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace

uint64_t value_of(std::string_view text, std::string_view key) {
  const size_t at = text.find(key);
  if (at == std::string_view::npos) return 0;
  size_t begin = at + key.size();
  while (begin < text.size() && (text[begin] == ':' || text[begin] == ' ' || text[begin] == '\t')) ++begin;
  uint64_t value = 0;
  std::from_chars(text.data() + begin, text.data() + text.size(), value);
  return value;
}

ProcReader::ProcReader(pid_t pid)
    : stat_(open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC)),
      status_(open(("/proc/" + std::to_string(pid) + "/status").c_str(), O_RDONLY | O_CLOEXEC)) {}

std::optional<ProcStats> ProcReader::read() const {
  static std::array<char, kProcFileBytes> stat_block, status_block;  // one loop, one thread
  const ssize_t stat_bytes = pread(stat_.get(), stat_block.data(), stat_block.size(), 0);
  const ssize_t status_bytes = pread(status_.get(), status_block.data(), status_block.size(), 0);
  if (stat_bytes <= 0 || status_bytes <= 0) return std::nullopt;
  const std::string_view status(status_block.data(), static_cast<size_t>(status_bytes));
  static const uint64_t tick_us = 1'000'000 / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  ProcStats stats;
  StatFields fields(std::string_view(stat_block.data(), static_cast<size_t>(stat_bytes)));
  stats.minor_faults = fields.at(10);
  stats.major_faults = fields.at(12);
  const uint64_t user = fields.at(14), system = fields.at(15), child_user = fields.at(16), child_system = fields.at(17);
  stats.cpu_user_us = (user + child_user) * tick_us;
  stats.cpu_system_us = (system + child_system) * tick_us;
  stats.threads = static_cast<uint32_t>(fields.at(20));
  stats.peak_rss_bytes = value_of(status, "VmHWM") * 1024;
  stats.rss_bytes = value_of(status, "VmRSS") * 1024;
  return stats;
}

std::optional<ProcStats> read_proc_stats(pid_t pid) { return ProcReader(pid).read(); }

std::optional<ProcMemory> read_proc_memory(pid_t pid) {
  const auto rollup = read_file("/proc/" + std::to_string(pid) + "/smaps_rollup", kProcFileBytes);
  if (!rollup || rollup->empty()) return std::nullopt;
  const uint64_t own_kib = value_of(*rollup, "\nPrivate_Clean") + value_of(*rollup, "\nPrivate_Dirty");
  const uint64_t all_kib = value_of(*rollup, "\nRss");
  return ProcMemory{own_kib * 1024, (all_kib > own_kib ? all_kib - own_kib : 0) * 1024};
}

pid_t pid_of(int pidfd) {
  const auto info = read_file("/proc/self/fdinfo/" + std::to_string(pidfd), kProcFileBytes);
  if (!info || info->find("Pid:\t-1") != std::string::npos) return 0;
  return static_cast<pid_t>(value_of(*info, "\nPid"));
}

void send_kill(int pidfd) { syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0); }

std::optional<CopyStatus> read_copy_status(pid_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status", kProcFileBytes);
  if (!status) return std::nullopt;
  const std::string numbers = rest_of_line(*status, "\nNSpid:"), permitted = rest_of_line(*status, "\nCapPrm:");
  CopyStatus copy;
  std::istringstream line(numbers);
  for (pid_t number = 0; line >> number;) copy.numbers.push_back(number);
  copy.is_powerless = !permitted.empty() && std::strtoull(permitted.c_str(), nullptr, 16) == 0;
  return copy;
}

}  // namespace capsule
