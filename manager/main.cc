// capsule-manager: parses the command line, prepares the socket and directories, and runs the manager.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "base/posix_io.h"
#include "base/utf8.h"
#include "manager/cgroup/detect.h"
#include "manager/cgroup/group_claim.h"
#include "manager/directories.h"
#include "manager/doctor.h"
#include "manager/files/own_directory.h"
#include "manager/key_tool.h"
#include "manager/manager.h"
#include "manager/observe/listen_fds.h"
#include "manager/observe/log.h"
#include "manager/observe/profiler.h"
#include "manager/worker_user.h"

namespace capsule {
namespace {

constexpr int kUsageStatus = 2;         // as the capsule command
constexpr int kConfigStatus = 78;       // EX_CONFIG: systemd does not restart on it
constexpr int kUnavailableStatus = 69;  // EX_UNAVAILABLE
constexpr int kAlreadyStatus = 75;      // EX_TEMPFAIL: another manager listens there
constexpr rlim_t kDescriptors = 65536;

struct Arguments {
  std::string config_file, socket, http, http_socket, state_dir, log_level;
  bool is_private = false;
  int ready_fd = -1;
  bool doctor = false;
  std::optional<Floor> floor;  // instead of the configured one
  KeyRequest key;              // an operation: do that and end
};

std::string worker_program() {
  std::error_code error;
  const auto here = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const auto& place : {here / "capsule-worker", here / "../worker/capsule-worker"}) {
    if (access(place.c_str(), X_OK) == 0) return place.string();
  }
  return {};
}

// Whoever starts us without standard streams must not get our sockets in their place.
void open_standard_streams() {
  int fd = 0;
  do {
    fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min(limit.rlim_max, std::max<rlim_t>(kDescriptors, limit.rlim_cur));
  setrlimit(RLIMIT_NOFILE, &limit);
}

Result<BoundSocket> take_socket(std::vector<ListenFd>& passed, const std::string& path, const std::string& group) {
  if (passed.empty()) return bind_socket(path, group);
  BoundSocket bound;
  bound.socket = std::move(passed.front().fd);
  return bound;
}

Result<Config> read_config(const std::string& file) {
  if (file.empty()) return default_config();
  return read_regular_file(file, kConfigBytes).and_then([&](const std::string& text) {
    return parse_config(text, file);
  });
}

int fail(int status, const std::string& text) {
  std::fprintf(stderr, "capsule-manager: %s\n", escape_control(text).c_str());  // what is wrong may be in several lines
  return status;
}

// What asks us to end, reload or tell more waits from the first moment on until the loop can take it.
constexpr int kSignals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
void hold_signals(int how) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kSignals) sigaddset(&set, number);
  sigprocmask(how, &set, nullptr);
}

// `--strict` and its like stand above the file.
void override_floor(const std::optional<Floor>& floor, Config& config) {
  if (!floor) return;
  config.defaults.sandbox.floor = *floor;
  for (auto& [name, profile] : config.profiles) profile.settings.sandbox.floor = *floor;
}

// The one that was named, if it is nobody else's: who may make names in it could have us write, and take away rights,
// wherever a link leads. Empty: none was named.
Result<std::string> own_state_dir(const Arguments& arguments, const Config& config) {
  const std::string path = !arguments.state_dir.empty() ? arguments.state_dir : config.server.state_dir;
  if (path.empty()) return path;
  // Made as it always was: where there is no private root, programs have to get through it to their workspaces.
  std::error_code error;
  std::filesystem::create_directories(path, error);
  const Status ours = make_own_directory(path);
  if (!ours) return failure(ours.error().code, "the state directory cannot be used: " + ours.error().message);
  return path;
}

// `--doctor`: 0 when the floor is met.
int tell_what_holds(const Arguments& arguments) {
  auto config = read_config(arguments.config_file);
  if (!config) return fail(kConfigStatus, config.error().message);
  override_floor(arguments.floor, *config);
  auto found = run_doctor(worker_program(), choose_worker_user());
  if (!found) return fail(kUnavailableStatus, found.error().message);
  const CgroupRoot groups = detect_cgroups(config->defaults.sandbox.cgroup, group_owner(getpid(), wall_clock_ms()));
  add_cgroups(*found, layer_of(groups));
  remove_groups_of(groups);
  const Floor floor = config->defaults.sandbox.floor;
  (void)write_all(STDOUT_FILENO, findings_document(*found, floor) + "\n");
  return missing_layers(floor, found->layers()).empty() ? 0 : 1;
}

// `--key`: the answer, or what was wrong, as JSON.
int tell_of_keys(const Arguments& arguments) {
  auto config = read_config(arguments.config_file);
  if (!config) return fail(kConfigStatus, config.error().message);
  const auto state_dir = own_state_dir(arguments, *config);
  if (!state_dir) return fail(kUnavailableStatus, state_dir.error().message);
  const std::string file = api_key_file(*state_dir);
  if (file.empty()) return fail(kUnavailableStatus, "there is no state directory that can be written to (--state-dir)");
  const auto answer = use_keys(file, arguments.key, wall_clock_ms());
  if (!answer) return fail(kUnavailableStatus, answer.error().message);
  (void)write_all(STDOUT_FILENO, *answer + "\n");
  return 0;
}

int serve(const Arguments& arguments, ManagerOptions options, SystemdNotify notify) {
  Loop loop(microseconds(options.config.server.spin_us));
  options.on_ready = [fd = arguments.ready_fd] {
    if (fd < 0) return;
    (void)write_all(fd, "ready\n");
    close(fd);
  };
  Manager manager(loop, std::move(options), std::move(notify));
  const SignalWatch signals(loop, {std::begin(kSignals), std::end(kSignals)}, [&manager](int number) {
    if (number == SIGHUP) return manager.reload();
    number == SIGUSR1 ? manager.toggle_debug() : manager.shut_down();
  });
  hold_signals(SIG_UNBLOCK);
  if (const Status started = manager.start(); !started) return fail(kUnavailableStatus, started.error().message);
  loop.run();
  log_info("manager ended");
  return manager.exit_status();
}

int prepare(Arguments arguments) {
  open_standard_streams();
  hold_signals(SIG_BLOCK);
  raise_descriptor_limit();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond RLIMIT_FSIZE answers EFBIG: a full disk is no reason to end either
  auto config = read_config(arguments.config_file);
  if (!config) return fail(kConfigStatus, config.error().message);
  if (const Status there = check_profile_paths(*config); !there) return fail(kConfigStatus, there.error().message);
  override_floor(arguments.floor, *config);
  const auto level = choose_log_level(config->server.log_level, arguments.log_level);
  if (!level) return fail(kConfigStatus, level.error().message);
  open_log({*level, detect_log_format(STDERR_FILENO), {}});
  auto notify = SystemdNotify::from_environment();
  if (!notify) return fail(kConfigStatus, notify.error().message);
  auto passed = take_listen_fds();
  if (!passed) return fail(kConfigStatus, passed.error().message);

  ManagerOptions options;
  options.worker_program = worker_program();
  if (options.worker_program.empty()) return fail(kUnavailableStatus, "capsule-worker is not beside this program");
  const auto state_dir = own_state_dir(arguments, *config);
  if (!state_dir) return fail(kUnavailableStatus, state_dir.error().message);
  std::string path = !arguments.socket.empty() ? arguments.socket : config->server.socket;
  if (path.empty()) path = default_socket();
  auto socket = take_socket(*passed, path, config->server.socket_group);
  if (!socket && socket.error().code == Errc::kConflict && arguments.ready_fd >= 0) {
    (void)write_all(arguments.ready_fd, "already\n");
  }
  if (!socket)
    return fail(socket.error().code == Errc::kConflict ? kAlreadyStatus : kUnavailableStatus, socket.error().message);
  options.socket = std::move(*socket);
  options.http = !arguments.http.empty() ? arguments.http : config->server.http;
  options.http_socket = !arguments.http_socket.empty() ? arguments.http_socket : config->server.http_socket;
  options.scratch_dir = make_scratch_dir(*state_dir);
  options.checkpoint_dir = make_checkpoint_dir(*state_dir);
  options.records_dir = make_records_dir(*state_dir);
  options.audit_dir = audit_dir(*state_dir);
  options.trace_dir = trace_dir(*state_dir);
  options.api_keys = api_key_file(*state_dir);
  options.build = build_facts();
  options.log_level = arguments.log_level;
  options.lifetime = arguments.is_private ? Lifetime::kPrivate : Lifetime::kService;
  options.config_file = arguments.config_file;
  options.config = std::move(*config);
  if (arguments.ready_fd >= 0) fcntl(arguments.ready_fd, F_SETFD, FD_CLOEXEC);
  return serve(arguments, std::move(options), std::move(*notify));
}

}  // namespace
}  // namespace capsule

int main(int argc, char** argv) {
  capsule::profiler::prepare();
  capsule::Arguments arguments;
  CLI::App app{"capsule-manager: keeps a pool of sandboxed Python workers. Usually started by `capsule serve`."};
  app.add_option("--config", arguments.config_file, "TOML file; see docs/CONFIGURATION.md");
  app.add_option("--socket", arguments.socket, "path of the socket for clients");
  app.add_option("--http", arguments.http, "ADDR:PORT (loopback) for /metrics and /health; off by default");
  app.add_option("--http-socket", arguments.http_socket, "path of a Unix socket for the same; off by default");
  app.add_option("--state-dir", arguments.state_dir, "directory for caches and run data");
  app.add_option("--log-level", arguments.log_level, "debug, info, warning or error; SIGUSR1 turns debug on and off");
  app.add_flag("--private", arguments.is_private, "end by itself when nobody uses it");
  app.add_option("--ready-fd", arguments.ready_fd, "write \"ready\" to this descriptor once clients are served");
  app.add_flag("--doctor", arguments.doctor, "print what can be had of the sandbox here, as JSON, and end");
  app.add_option("--key", arguments.key.operation, "make, list or remove an API key for HTTP: new, ls, rm");
  app.add_option("--key-name", arguments.key.name, "which");
  app.add_option("--key-per-minute", arguments.key.requests_per_minute, "requests it may make in a minute")
      ->check(CLI::Range(uint64_t{1}, capsule::kKeyRequestsPerMinute));
  app.add_option("--key-days", arguments.key.days, "days until it expires; 0: never")
      ->check(CLI::Range(uint64_t{0}, capsule::kKeyDays));
  const auto floor_flag = [&](const char* name, capsule::Floor floor, const char* text) {
    app.add_flag_callback(
        name, [&arguments, floor] { arguments.floor = floor; }, text);
  };
  floor_flag("--strict", capsule::Floor::kStrict, "start only if every layer of the sandbox holds");
  floor_flag("--allow-degraded", capsule::Floor::kDegraded, "start also where there are no namespaces");
  floor_flag("--unsafe", capsule::Floor::kUnsafe, "start whatever holds; something around it has to be the sandbox");
  app.footer(
      "Exit status: 0 stopped, 1 stopped and programs were killed, 2 wrong command line, 69 cannot listen,\n"
      "75 another manager listens there, 77 the sandbox is below its floor, 78 bad configuration.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : capsule::kUsageStatus;
  }
  if (!arguments.key.operation.empty()) return capsule::tell_of_keys(arguments);
  if (arguments.doctor) return capsule::tell_what_holds(arguments);
  return capsule::prepare(std::move(arguments));
}
