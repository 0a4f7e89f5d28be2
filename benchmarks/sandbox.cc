// What the sandbox costs: fresh runs with nothing but a ready capsule in stock, and with nothing at all, beside a fork
// of the same interpreter that runs the same statement; and a program that only computes, inside and outside.
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "benchmarks/interleave.h"
#include "benchmarks/runs.h"
#include "benchmarks/spin.h"
#include "benchmarks/workloads.h"

namespace capsule::bench {
namespace {

using Values = Result<std::vector<double>>;

constexpr double kFromReadyCapsule = 1.6, kFromNothing = 2.5, kComputing = 1.01;  // marks

Values runs_from(Subject& subject, size_t count) {
  std::vector<double> took_ms;
  for (size_t i = 0; i < count; ++i) {
    if (auto full = subject.wait_for_stock(); !full) return tl::unexpected(full.error());
    const auto seen =
        run_expecting(subject.client(), {.code = "1+1", .session = {}, .line = {}, .stdout_bytes = 0}, "2");
    if (!seen) return tl::unexpected(seen.error());
    if (seen->lease != "miss") return failure(Errc::kInvalid, "a worker was in stock that should not be there");
    took_ms.push_back(to_seconds(seen->took) * 1e3);
  }
  return took_ms;
}

// "'0.12 0.13'"
Values numbers_in(const std::string& text) {
  std::istringstream words(text.size() < 2 ? text : text.substr(1, text.size() - 2));
  std::vector<double> numbers;
  for (double number = 0; words >> number;) numbers.push_back(number);
  if (numbers.size() < 2) return failure(Errc::kInvalid, "the computing program answered " + text);
  return numbers;
}

class Directory {
 public:
  static Result<Directory> make() {
    std::string path = std::filesystem::temp_directory_path().string() + "/capsule-bench-XXXXXX";
    if (mkdtemp(path.data()) == nullptr || chmod(path.c_str(), 0755) != 0) return system_failure("mkdtemp " + path);
    return Directory(std::move(path));
  }
  explicit Directory(std::string path) : path_(std::move(path)) {}
  Directory(Directory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ~Directory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// How fast a process computes depends by some percent on where its memory happens to lie, which is settled when its
// program starts and stays with all of its forks: so a worker is compared with the zygote that it is a fork of, and
// each round has a zygote of its own.
Status compute(size_t count, Samples& inside, Samples& outside) {
  const auto package = Directory::make();
  if (!package) return tl::unexpected(package.error());
  std::ofstream(package->path() + "/" + kSpinModule + ".py") << kSpinProgram;
  const auto subject = Subject::start({.stock = {.workers = 1, .capsules = 0},
                                       .config = "[profiles.data]\npreload = [\"" + std::string(kSpinModule) +
                                                 "\"]\npackages = [\"" + package->path() + "\"]\n"});
  if (!subject) return tl::unexpected(subject.error());
  std::vector<double> inside_s, outside_s;
  for (size_t i = 0; i < count; ++i) {
    if (auto full = (*subject)->wait_for_stock(); !full) return tl::unexpected(full.error());
    const auto seen = run((*subject)->client(), {.code = kSpinRun, .session = {}, .line = {}, .stdout_bytes = 0});
    if (!seen) return tl::unexpected(seen.error());
    const auto numbers = numbers_in(seen->result);
    if (!numbers) return tl::unexpected(numbers.error());
    inside_s.push_back(numbers->front());
    outside_s.assign(numbers->begin() + 1, numbers->end());
  }
  inside.rounds.push_back(std::move(inside_s));
  outside.rounds.push_back(std::move(outside_s));
  return {};
}

Figure figure(std::string name, std::string unit, Samples own, Comparison comparison) {
  Figure made;
  made.name = std::move(name);
  made.unit = std::move(unit);
  made.own = std::move(own);
  made.comparisons.push_back(std::move(comparison));
  return made;
}

}  // namespace

Result<std::vector<Figure>> measure_sandbox(Bench& bench) {
  const auto with_capsules = Subject::start({.stock = {.workers = 0, .capsules = 2}});
  if (!with_capsules) return tl::unexpected(with_capsules.error());
  const auto with_nothing = Subject::start({.stock = {.workers = 0, .capsules = 0}});
  if (!with_nothing) return tl::unexpected(with_nothing.error());
  const size_t count = bench.effort.fresh_runs;
  auto samples =
      interleave({[&] { return runs_from(**with_capsules, count); }, [&] { return runs_from(**with_nothing, count); },
                  [&] { return bench.bare_fork.runs(count); }},
                 bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  Samples inside, outside;
  for (size_t i = 0; i < bench.effort.rounds; ++i) {
    if (auto done = compute(bench.effort.spins, inside, outside); !done) return tl::unexpected(done.error());
  }
  const Samples &capsule = (*samples)[0], &nothing = (*samples)[1], &bare = (*samples)[2];
  const char* const baseline = "fork and run, no sandbox";
  return std::vector<Figure>{
      figure("fresh run of 1+1, from a ready capsule", "ms", capsule, {baseline, bare, kFromReadyCapsule}),
      figure("the same from nothing", "ms", nothing, {baseline, bare, kFromNothing}),
      figure("a program that only computes, CPU", "s", std::move(inside),
             {"the same process before it has a sandbox", std::move(outside), kComputing})};
}

}  // namespace capsule::bench
