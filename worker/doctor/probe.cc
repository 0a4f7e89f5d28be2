#include "worker/doctor/probe.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <sstream>

#include "base/clock.h"
#include "base/posix_io.h"

namespace capsule::doctor {
namespace {

constexpr milliseconds kProbePatience{2000};
constexpr size_t kReportBytes = 64 << 10;

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return text;
}

std::string read_report(int pipe) {
  std::string text;
  const TimePoint deadline = now() + kProbePatience;
  std::array<char, 4096> block;
  while (text.size() < kReportBytes) {
    const auto left = to_milliseconds(deadline - now());
    pollfd ready{pipe, POLLIN, 0};
    if (left <= 0 || poll(&ready, 1, static_cast<int>(left)) <= 0) break;
    const ssize_t got = read(pipe, block.data(), block.size());
    if (got <= 0) break;
    text.append(block.data(), static_cast<size_t>(got));
  }
  return text;
}

}  // namespace

void Reporter::say(const std::string& name, const std::string& state, const std::string& proof,
                   const std::string& reason) {
  (void)write_all(pipe_, name + "\t" + state + "\t" + one_line(proof) + "\t" + one_line(reason) + "\n");
}

bool Reporter::succeeds_outside(const std::string& name) const {
  const auto found = controls_.find(name);
  return found == controls_.end() || found->second;
}

void Reporter::tried(const std::string& name, bool refused, const std::string& act) {
  if (!succeeds_outside(name)) return off(name, "cannot be told: outside it is the same: " + act);
  proved(name, refused, act);
}

void Reporter::proved(const std::string& name, bool holds, const std::string& proof) {
  holds ? say(name, "on", proof, "") : say(name, "off", "", "not held when tried: " + proof);
}

void Reporter::off(const std::string& name, const std::string& reason) { say(name, "off", "", reason); }
void Reporter::degraded(const std::string& name, const std::string& reason) { say(name, "degraded", "", reason); }

Outcome in_child(const Fork& fork, const std::function<void(Reporter&)>& act) {
  Outcome outcome;
  auto pipe = make_pipe();
  if (!pipe) return outcome;
  const pid_t child = fork();
  if (child < 0) return outcome;
  if (child == 0) {
    pipe->first.reset();
    Reporter reporter(pipe->second.get());
    act(reporter);
    _exit(0);
  }
  pipe->second.reset();
  std::istringstream lines(read_report(pipe->first.get()));
  kill(child, SIGKILL);  // what has not ended by now hangs
  waitpid(child, &outcome.wait_status, 0);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream columns(line);
    Finding found;
    std::getline(columns, found.name, '\t');
    std::getline(columns, found.state, '\t');
    std::getline(columns, found.proof, '\t');
    std::getline(columns, found.reason, '\t');
    outcome.findings.push_back(std::move(found));
  }
  return outcome;
}

}  // namespace capsule::doctor
