// What a manager waits for at its start until it knows which layers hold here: the whole of `capsule-manager --doctor`,
// from exec to exit, which tries the same layers in the same order.
#include <sys/wait.h>

#include <nlohmann/json.hpp>

#include "benchmarks/child.h"
#include "benchmarks/interleave.h"
#include "benchmarks/places.h"
#include "benchmarks/workloads.h"

namespace capsule::bench {
namespace {

constexpr double kMarkMs = 50;

Result<std::vector<double>> probes(size_t count) {
  std::vector<double> took_ms;
  for (size_t i = 0; i < count; ++i) {
    const auto ran =
        run_program({.arguments = {built("manager/capsule-manager"), "--doctor"}, .environment = {}, .error_file = {}});
    if (!ran) return tl::unexpected(ran.error());
    const auto document = nlohmann::json::parse(ran->output, nullptr, false);
    const bool has_all = document.is_object() && document.contains("layers") && document["layers"].size() > 15;
    if (!WIFEXITED(ran->wait_status) || !has_all) return failure(Errc::kInvalid, "the doctor answered " + ran->output);
    took_ms.push_back(to_seconds(ran->took) * 1e3);
  }
  return took_ms;
}

}  // namespace

Result<std::vector<Figure>> measure_probe(Bench& bench) {
  auto samples = interleave({[&] { return probes(bench.effort.programs); }}, bench.effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  Figure figure;
  figure.name = "probe of all layers at start";
  figure.unit = "ms";
  figure.own = std::move(samples->front());
  figure.mark = kMarkMs;
  return std::vector<Figure>{std::move(figure)};
}

}  // namespace capsule::bench
