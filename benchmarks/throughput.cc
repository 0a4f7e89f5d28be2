// How fast stdout arrives, from the request to the verdict, every byte compared.
#include "benchmarks/interleave.h"
#include "benchmarks/raw_limits.h"
#include "benchmarks/runs.h"
#include "benchmarks/workloads.h"

namespace capsule::bench {
namespace {

using Values = Result<std::vector<double>>;

constexpr size_t kBlockBytes = 64u << 10;
constexpr size_t kLineBytes = 64;  // with its newline
constexpr double kMega = 1e6;

std::string line_of(size_t bytes) { return std::string(bytes - 1, 'x') + "\n"; }

std::string writes_code(size_t blocks) {
  return "import sys\nblock = 'x' * " + std::to_string(kBlockBytes - 1) + " + '\\n'\nfor _ in range(" +
         std::to_string(blocks) + "): n = sys.stdout.write(block)";
}

std::string prints_code(size_t lines) {
  return "line = 'x' * " + std::to_string(kLineBytes - 1) + "\nfor i in range(" + std::to_string(lines) +
         "): print(line)";
}

Result<std::vector<double>> one(Result<double> value) {
  return value.map([](double each) { return std::vector<double>{each}; });
}

Values capsule_block(Bench& bench, const std::string& session, const std::string& code, std::string_view line,
                     size_t bytes) {
  const Result<RunSeen> seen =
      run(bench.subject.client(), {.code = code, .session = session, .line = line, .stdout_bytes = bytes});
  if (!seen) return tl::unexpected(seen.error());
  return std::vector<double>{static_cast<double>(bytes) / kMega / to_seconds(seen->took)};
}

Figure rate_of(std::string name, Samples own, std::vector<Comparison> comparisons) {
  Figure figure;
  figure.name = std::move(name);
  figure.unit = "MB/s";
  figure.better = Better::kMore;
  figure.own = std::move(own);
  figure.comparisons = std::move(comparisons);
  return figure;
}

}  // namespace

Result<std::vector<Figure>> measure_writes(Bench& bench) {
  const Effort& effort = bench.effort;
  const std::string line = line_of(kBlockBytes);
  const Result<std::string> session = new_session(bench.subject.client());
  if (!session) return tl::unexpected(session.error());
  auto samples = interleave({[&] {
                               return capsule_block(bench, *session, writes_code(effort.write_blocks), line,
                                                    effort.write_blocks * kBlockBytes);
                             },
                             [&] { return one(stream_rate(effort.stream_bytes)); },
                             [&] {
                               return one(bench.notebook.output_rate(writes_code(effort.notebook_blocks), line,
                                                                     effort.notebook_blocks * kBlockBytes));
                             }},
                            effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  if (auto removed = remove_session(bench.subject.client(), *session); !removed) return tl::unexpected(removed.error());
  return std::vector<Figure>{rate_of("stdout, writes of 64 KiB", (*samples)[0],
                                     {{"ipykernel", (*samples)[2], 10}, {"Unix socket, 64 KiB", (*samples)[1], {}}})};
}

Result<std::vector<Figure>> measure_prints(Bench& bench) {
  const size_t lines = bench.effort.printed_lines;
  const std::string line = line_of(kLineBytes);
  const Result<std::string> session = new_session(bench.subject.client());
  if (!session) return tl::unexpected(session.error());
  auto samples =
      interleave({[&] { return capsule_block(bench, *session, prints_code(lines), line, lines * kLineBytes); },
                  [&] { return one(bench.plain.flood_rate(lines, line)); },
                  [&] { return one(bench.notebook.output_rate(prints_code(lines), line, lines * kLineBytes)); }},
                 bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  if (auto removed = remove_session(bench.subject.client(), *session); !removed) return tl::unexpected(removed.error());
  return std::vector<Figure>{
      rate_of("stdout, print of 64 bytes", (*samples)[0],
              {{"ipykernel", (*samples)[2], 1.3}, {"python3 by lines to a pipe", (*samples)[1], 0.9}})};
}

}  // namespace capsule::bench
