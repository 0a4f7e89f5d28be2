// What an idle worker costs in memory, its keeper included.
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "base/posix_io.h"
#include "benchmarks/workloads.h"

namespace capsule::bench {
namespace {

constexpr size_t kProcFileBytes = 64u << 10;
constexpr size_t kFewestWorkers = 20;
constexpr double kMega = 1e6;
constexpr double kKiloBinary = 1024;

struct Memory {
  double private_bytes = 0;  // of this process alone
  double anonymous_bytes = 0;
  double anonymous_share_bytes = 0;  // each page divided by the number of its users
  double page_table_bytes = 0;
};

// "Name:   123 kB" lines.
double sum_of(const std::string& text, const std::vector<std::string>& names) {
  std::istringstream lines(text);
  double sum = 0;
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    if (std::find(names.begin(), names.end(), line.substr(0, colon)) == names.end()) continue;
    sum += std::stod(line.substr(colon + 1)) * kKiloBinary;
  }
  return sum;
}

Result<Memory> memory_of(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid);
  const Result<std::string> rollup = read_file(directory + "/smaps_rollup", kProcFileBytes);
  if (!rollup) return failure(rollup.error().code, "memory cannot be measured here: " + rollup.error().message);
  const Result<std::string> status = read_file(directory + "/status", kProcFileBytes);
  if (!status) return tl::unexpected(status.error());
  return Memory{.private_bytes = sum_of(*rollup, {"Private_Clean", "Private_Dirty", "Private_Hugetlb"}),
                .anonymous_bytes = sum_of(*rollup, {"Anonymous"}),
                .anonymous_share_bytes = sum_of(*rollup, {"Pss_Anon"}),
                .page_table_bytes = sum_of(*status, {"VmPTE"})};
}

Result<std::vector<pid_t>> children_of(pid_t pid) {
  const std::string id = std::to_string(pid);
  const Result<std::string> text = read_file("/proc/" + id + "/task/" + id + "/children", kProcFileBytes);
  if (!text) return tl::unexpected(text.error());
  std::istringstream words(*text);
  std::vector<pid_t> pids;
  for (pid_t child = 0; words >> child;) pids.push_back(child);
  return pids;
}

struct Family {
  std::vector<double> private_mb;  // of each worker, with its keeper
  double anonymous_share_bytes = 0;
  double page_table_bytes = 0;
};

// A keeper without a worker is stock of another kind: its pages are shared out, but it is not counted as a worker.
Status add_capsule(pid_t keeper, Family& family) {
  const Result<std::vector<pid_t>> workers = children_of(keeper);
  if (!workers) return tl::unexpected(workers.error());
  double private_bytes = 0;
  std::vector<pid_t> members = *workers;
  members.push_back(keeper);
  for (const pid_t pid : members) {
    const Result<Memory> memory = memory_of(pid);
    if (!memory) return tl::unexpected(memory.error());
    private_bytes += memory->private_bytes;
    family.anonymous_share_bytes += memory->anonymous_share_bytes;
    family.page_table_bytes += memory->page_table_bytes;
  }
  if (!workers->empty()) family.private_mb.push_back(private_bytes / kMega);
  return {};
}

std::string sentence(const char* format, double value) {
  std::string text(160, '\0');
  text.resize(static_cast<size_t>(std::max(0, std::snprintf(text.data(), text.size(), format, value))));
  return text;
}

}  // namespace

// Keepers hide from their own user what their memory is made of.
Result<std::vector<Figure>> measure_memory(Bench& bench) {
  if (geteuid() != 0) {
    std::fputs("memory: left out: only root may read what the memory of keepers is made of\n", stderr);
    return std::vector<Figure>{};
  }
  if (auto full = bench.subject.wait_for_stock(); !full) return tl::unexpected(full.error());
  const Result<std::vector<pid_t>> zygotes = bench.subject.zygotes();
  const Result<std::vector<pid_t>> children = children_of(bench.subject.manager_pid());
  if (!zygotes) return tl::unexpected(zygotes.error());
  if (!children) return tl::unexpected(children.error());
  Family family;
  double zygote_anonymous_bytes = 0;
  for (const pid_t pid : *children) {
    if (std::find(zygotes->begin(), zygotes->end(), pid) == zygotes->end()) {
      if (auto added = add_capsule(pid, family); !added) return tl::unexpected(added.error());
      continue;
    }
    const Result<Memory> memory = memory_of(pid);
    if (!memory) return tl::unexpected(memory.error());
    zygote_anonymous_bytes += memory->anonymous_bytes;
    family.anonymous_share_bytes += memory->anonymous_share_bytes;
  }
  const size_t workers = family.private_mb.size();
  if (workers < std::min(kFewestWorkers, bench.subject.stock().workers)) {
    return failure(Errc::kInvalid, "only " + std::to_string(workers) + " idle workers were found");
  }
  const Result<double> notebook_bytes = bench.notebook.private_bytes();
  if (!notebook_bytes) return tl::unexpected(notebook_bytes.error());
  const auto count = static_cast<double>(workers);
  Figure figure;
  figure.name = "private memory, idle worker";
  figure.unit = "MB";
  figure.own.rounds = {family.private_mb};
  figure.mark = 3;
  figure.comparisons = {{"ipykernel (USS, nothing imported)", Samples{{{*notebook_bytes / kMega}}}, {}}};
  figure.notes = {
      sentence(
          "Memory the zygotes do not have, pages that only a keeper and its worker share included: %.2f MB a worker.",
          (family.anonymous_share_bytes - zygote_anonymous_bytes) / count / kMega),
      sentence("Page tables of a worker and its keeper, not counted above: %.2f MB.",
               family.page_table_bytes / count / kMega)};
  return std::vector<Figure>{figure};
}

}  // namespace capsule::bench
