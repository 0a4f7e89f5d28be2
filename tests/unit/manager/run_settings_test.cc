#include "manager/schedule/run_settings.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"

using namespace capsule;
using namespace std::chrono_literals;

namespace {

ProfileSettings profile() {
  ProfileSettings settings = default_config().defaults;
  settings.limits.cpu = 10s;
  return settings;
}

Execute wish(uint64_t timeout_ms, uint64_t cpu_ms, uint64_t memory_bytes) {
  Execute request;
  request.timeout_ms = timeout_ms;
  request.cpu_ms = cpu_ms;
  request.memory_bytes = memory_bytes;
  return request;
}

}  // namespace

TEST_CASE("a run that asks for nothing gets its profile's limits", "[run settings]") {
  const auto settings = run_settings({}, profile(), {});
  REQUIRE(settings);
  CHECK(settings->limits.timeout == 300s);
  CHECK(settings->limits.cpu == 10s);
  CHECK(settings->limits.memory_bytes == 2048 * kMiB);
  CHECK(settings->limits.output_bytes == 64 * kMiB);
  CHECK(settings->program_memory_bytes == 0);  // the soft limit is the worker's own
}

TEST_CASE("a run may ask for less", "[run settings]") {
  const auto settings = run_settings(wish(2000, 500, 128 * kMiB), profile(), {});
  REQUIRE(settings);
  CHECK(settings->limits.timeout == 2s);
  CHECK(settings->limits.cpu == 500ms);
  CHECK(settings->limits.memory_bytes == 128 * kMiB);
  CHECK(settings->program_memory_bytes == 128 * kMiB);
}

TEST_CASE("a run that asks for more is refused with the name of the knob", "[run settings]") {
  const auto refused = [](const Execute& request) {
    const auto settings = run_settings(request, profile(), {});
    REQUIRE_FALSE(settings);
    CHECK(settings.error().code == Errc::kRefused);
    return settings.error().message;
  };
  CHECK(refused(wish(86'400'001, 0, 0)).find("run.max_timeout_s") != std::string::npos);
  CHECK(refused(wish(0, 10'001, 0)).find("limits.cpu_s") != std::string::npos);
  CHECK(refused(wish(0, 0, 2048 * kMiB + 1)).find("limits.memory_bytes") != std::string::npos);
}

TEST_CASE("without a limit of processor time in the profile a run may ask for any", "[run settings]") {
  const auto settings = run_settings(wish(0, 3'600'000, 0), default_config().defaults, {});
  REQUIRE(settings);
  CHECK(settings->limits.cpu == 1h);
}

TEST_CASE("a fork has the limits of its original, or less", "[run settings]") {
  const SessionLimits own{.timeout_ms = 5000, .memory_bytes = 256 * kMiB};
  CHECK(limits_of_fork({}, own, profile()).value() == own);
  const auto less = limits_of_fork({.memory_bytes = 128 * kMiB, .processes = 3}, own, profile());
  CHECK(less.value() == SessionLimits{.timeout_ms = 5000, .memory_bytes = 128 * kMiB, .processes = 3});
  const auto more = limits_of_fork({.memory_bytes = 256 * kMiB + 1}, own, profile());
  REQUIRE_FALSE(more);
  CHECK(more.error().code == Errc::kRefused);
  CHECK(more.error().message.find("its session's limit") != std::string::npos);
  const auto above_profile = limits_of_fork({.cpu_ms = 10'001}, own, profile());
  REQUIRE_FALSE(above_profile);
  CHECK(above_profile.error().message.find("limits.cpu_s") != std::string::npos);
}

TEST_CASE("a session's limits hold for its runs, which may only tighten them", "[run settings]") {
  const SessionLimits session{5000, 1000, 256 * kMiB, 4096};
  const auto plain = run_settings({}, profile(), session);
  REQUIRE(plain);
  CHECK(plain->limits.timeout == 5s);
  CHECK(plain->limits.cpu == 1s);
  CHECK(plain->limits.memory_bytes == 256 * kMiB);
  CHECK(plain->limits.output_bytes == 4096);
  CHECK(run_settings(wish(4000, 900, 200 * kMiB), profile(), session));
  const auto more = run_settings(wish(6000, 0, 0), profile(), session);
  REQUIRE_FALSE(more);
  CHECK(more.error().message.find("session") != std::string::npos);
}

TEST_CASE("what a run may have of processes, files and workspace is told as it is, and where it is less",
          "[run settings]") {
  const auto plain = run_settings({}, profile(), {});
  REQUIRE(plain);
  CHECK(plain->bounds == CapsuleBounds{64, 256, {256 * kMiB, 10'000}});
  CHECK(plain->tightened == CapsuleBounds{});
  CHECK(plain->tasks() == 0);

  Execute less;
  less.processes = 5;
  less.open_files = 256;  // what the profile gives anyway
  less.workspace_bytes = kMiB;
  const auto tighter = run_settings(less, profile(), {});
  REQUIRE(tighter);
  CHECK(tighter->bounds == CapsuleBounds{5, 256, {kMiB, 10'000}});
  CHECK(tighter->tightened == CapsuleBounds{5, 0, {kMiB, 0}});
  CHECK(tighter->tasks() == 5 + RunSettings::kOwnTasks);

  SessionLimits session;
  session.processes = 10;
  session.workspace_files = 100;
  const auto in_session = run_settings(less, profile(), session);
  REQUIRE(in_session);
  CHECK(in_session->tightened == CapsuleBounds{5, 0, {kMiB, 100}});
  less.processes = 11;
  const auto more = run_settings(less, profile(), session);
  REQUIRE_FALSE(more);
  CHECK(more.error().message.find("its session's limit") != std::string::npos);
}

TEST_CASE("more processes, files or workspace than the profile has are refused by name", "[run settings]") {
  const auto refused = [](uint64_t Execute::*wish, uint64_t SessionLimits::*of_session, uint64_t value) {
    Execute request;
    request.*wish = value;
    SessionLimits session;
    session.*of_session = value;
    CHECK_FALSE(check_session_limits(session, profile()));
    const auto settings = run_settings(request, profile(), {});
    REQUIRE_FALSE(settings);
    CHECK(settings.error().code == Errc::kRefused);
    return settings.error().message;
  };
  using E = Execute;
  using S = SessionLimits;
  CHECK(refused(&E::processes, &S::processes, 65).find("limits.processes") != std::string::npos);
  CHECK(refused(&E::open_files, &S::open_files, 257).find("limits.open_files") != std::string::npos);
  CHECK(refused(&E::workspace_bytes, &S::workspace_bytes, 256 * kMiB + 1).find("sandbox.workspace_bytes") !=
        std::string::npos);
  CHECK(refused(&E::workspace_files, &S::workspace_files, 10'001).find("sandbox.workspace_files") != std::string::npos);
}

TEST_CASE("of a run that a reload overtook only that is lowered which is above", "[run settings]") {
  Execute wanted;
  wanted.timeout_ms = 1u << 30;
  wanted.memory_bytes = 256 * kMiB;
  wanted.processes = 16;
  wanted.output_policy = "stop";
  REQUIRE_FALSE(run_settings(wanted, profile(), {}));
  const auto lowered = run_settings(wanted, profile(), {}, Above::kLowered);
  REQUIRE(lowered);
  CHECK(lowered->limits.timeout == profile().run.timeout_max);
  CHECK(lowered->limits.memory_bytes == 256 * kMiB);
  CHECK(lowered->bounds.processes == 16);
  CHECK(lowered->output_policy == OutputPolicy::kStop);
}

TEST_CASE("a session may not have more than its profile", "[run settings]") {
  CHECK(check_session_limits({5000, 1000, 256 * kMiB, 4096}, profile()));
  CHECK_FALSE(check_session_limits({0, 0, 4096 * kMiB, 0}, profile()));
  CHECK_FALSE(check_session_limits({0, 11'000, 0, 0}, profile()));
}

TEST_CASE("layers can be required by name", "[run settings]") {
  CHECK(check_required({"seccomp", "landlock"}));
  const auto unknown = check_required({"seccomp", "firewall"});
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message.find("'firewall'") != std::string::npos);
  const std::vector<Layer> layers{
      {"seccomp", "on", ""}, {"landlock", "off", "not in this kernel"}, {"cgroup", "degraded", "v1 pids"}};
  CHECK(missing_layers({"seccomp"}, layers).empty());
  CHECK(missing_layers({}, layers).empty());
  CHECK(missing_layers({"seccomp", "landlock", "cgroup", "netns"}, layers) ==
        "landlock (off: not in this kernel), cgroup (degraded: v1 pids), netns (not built)");
}
