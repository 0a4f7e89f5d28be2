#include "benchmarks/peers.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <sstream>

#include "benchmarks/line_check.h"
#include "benchmarks/places.h"

namespace capsule::bench {
namespace {

using Json = nlohmann::json;

constexpr int kPipeBytes = 1 << 20;
constexpr double kMega = 1e6;

Result<Child> start_peer(std::vector<std::string> arguments, const std::string& missing) {
  const std::string name = arguments.back();
  Result<Child> child = Child::start({.arguments = std::move(arguments), .environment = {}, .error_file = {}});
  if (!child) return child;
  const Result<std::string> line = child->read_line(now() + kPeerTimeout);
  if (line && *line == "ready") return child;
  return failure(Errc::kUnavailable, missing);
}

// Numbers that were asked for; anything else is an error.
Result<std::vector<double>> milliseconds_from(const Json& answer, size_t count) {
  const auto seconds = answer.find("seconds");
  if (seconds == answer.end() || !seconds->is_array() || seconds->size() != count) {
    return failure(Errc::kInvalid, "the notebook peer answered " + answer.dump());
  }
  std::vector<double> took_ms;
  for (const Json& each : *seconds) took_ms.push_back(each.get<double>() * 1e3);
  return took_ms;
}

Result<Json> ask(Child& child, const Json& order) {
  const Result<std::string> line = child.ask(order.dump(), kPeerTimeout);
  if (!line)
    return failure(line.error().code, "the notebook peer, asked to " + order.dump() + ": " + line.error().message);
  Json answer = Json::parse(*line, nullptr, false);
  if (!answer.is_object()) return failure(Errc::kInvalid, "the notebook peer answered " + *line);
  return answer;
}

}  // namespace

Result<BareFork> BareFork::start(const std::vector<std::string>& modules) {
  std::vector<std::string> arguments{built("benchmarks/bare_fork")};
  arguments.insert(arguments.end(), modules.begin(), modules.end());
  return start_peer(std::move(arguments), "bare_fork could not import what the profile preloads")
      .map([](Child&& child) { return BareFork(std::move(child)); });
}

Result<std::vector<double>> BareFork::ask(const std::string& what, size_t count, double scale) {
  const Result<std::string> line = child_.ask(what + " " + std::to_string(count), kPeerTimeout);
  if (!line) return tl::unexpected(line.error());
  std::istringstream words(*line);
  std::vector<double> numbers;
  for (double number = 0; words >> number;) {
    if (number < 0) return failure(Errc::kSystem, "a bare fork failed");
    numbers.push_back(number * scale);
  }
  if (numbers.size() != count) return failure(Errc::kInvalid, "bare_fork answered " + *line);
  return numbers;
}

Result<std::vector<double>> BareFork::forks(size_t count) { return ask("fork", count, 1e-3); }
Result<std::vector<double>> BareFork::runs(size_t count) { return ask("run", count, 1e-3); }
Result<std::vector<double>> BareFork::copies(size_t count) { return ask("copy", count, 1e-3); }
Result<std::vector<double>> BareFork::kills(size_t count) { return ask("kill", count, 1e-3); }

Status BareFork::set_heap(size_t heap_mb) {
  const Result<std::string> line = child_.ask("heap " + std::to_string(heap_mb), kPeerTimeout);
  if (!line) return tl::unexpected(line.error());
  if (*line != "0") return failure(Errc::kInvalid, "bare_fork answered " + *line);
  return {};
}

Result<PlainPython> PlainPython::start() {
  Result<Child> child = start_peer({kPython, script("plain.py")}, "plain.py did not start");
  if (!child) return tl::unexpected(child.error());
  if (fcntl(child->out_fd(), F_SETPIPE_SZ, kPipeBytes) < 0) return system_failure("F_SETPIPE_SZ");
  return PlainPython(std::move(*child));
}

Result<double> PlainPython::flood_rate(size_t lines, std::string_view line) {
  LineCheck check(line);
  const size_t bytes = lines * line.size();
  std::string block(static_cast<size_t>(kPipeBytes), '\0');
  const TimePoint begin = now();
  if (auto sent = child_.send_line("flood " + std::to_string(lines)); !sent) return tl::unexpected(sent.error());
  while (check.bytes() < bytes) {
    const ssize_t got = read(child_.out_fd(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return failure(Errc::kClosed, "plain python ended in the middle of its output");
    if (!check.feed({block.data(), static_cast<size_t>(got)})) {
      return failure(Errc::kInvalid, "plain python printed something else");
    }
  }
  return static_cast<double>(bytes) / kMega / to_seconds(now() - begin);
}

Result<double> PlainPython::interrupt() {
  Result<std::string> line = child_.ask("spin", kPeerTimeout);
  if (!line || *line != "round") return failure(Errc::kInvalid, "plain python does not go round");
  poll(nullptr, 0, static_cast<int>(kSpinHead.count()));
  const TimePoint begin = now();
  kill(child_.pid(), SIGINT);
  line = child_.read_line(now() + kPeerTimeout);
  if (!line || *line != "seen") return failure(Errc::kInvalid, "plain python did not see its SIGINT");
  return to_seconds(now() - begin) * 1e3;
}

Result<Notebook> Notebook::start() {
  return start_peer({kPython, "-B", script("peers.py")},
                    "ipykernel cannot be had; install python3-ipykernel, python3-jupyter-client and python3-psutil")
      .map([](Child&& child) { return Notebook(std::move(child)); });
}

Result<std::string> Notebook::versions() {
  return ask(child_, {{"do", "versions"}}).map([](const Json& answer) { return answer.value("versions", "?"); });
}

Result<std::vector<double>> Notebook::round_trips(size_t count, const std::string& code, const std::string& result) {
  return ask(child_, {{"do", "roundtrips"}, {"count", count}, {"code", code}, {"result", result}})
      .and_then([&](const Json& answer) { return milliseconds_from(answer, count); });
}

Result<double> Notebook::output_rate(const std::string& code, std::string_view line, size_t bytes) {
  return ask(child_, {{"do", "output"}, {"code", code}, {"line", line}, {"bytes", bytes}})
      .and_then([](const Json& answer) { return milliseconds_from(answer, 1); })
      .map([&](const std::vector<double>& took_ms) {
        return static_cast<double>(bytes) / kMega / (took_ms.front() / 1e3);
      });
}

Result<std::vector<double>> Notebook::interrupts(size_t count) {
  return ask(child_, {{"do", "interrupts"}, {"count", count}, {"head_s", to_seconds(kSpinHead)}})
      .and_then([&](const Json& answer) { return milliseconds_from(answer, count); });
}

Result<double> Notebook::private_bytes() {
  return ask(child_, {{"do", "memory"}}).map([](const Json& answer) { return answer.value("uss_bytes", 0.0); });
}

}  // namespace capsule::bench
