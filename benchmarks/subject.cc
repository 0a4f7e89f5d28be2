#include "benchmarks/subject.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include <filesystem>

#include "base/posix_io.h"
#include "cli/document_fields.h"
#include "cli/document_request.h"
#include "cli/manager_binary.h"

namespace capsule::bench {
namespace {

constexpr milliseconds kStockInterval{5};
constexpr size_t kLogBytes = 1u << 20;
constexpr size_t kLogTailBytes = 2000;

// Everything else is as it ships. The frame rate of one connection would be measured instead of the round trip, and a
// stock that shrinks or is replaced meanwhile would be measured in the middle of it.
std::string config_for(Stock stock) {
  return "default_profile = \"data\"\n"
         "[client]\nframes_per_s = 0\n"
         "[profiles.data.pool]\nwarm = " +
         std::to_string(stock.workers) + "\ncapsules = " + std::to_string(stock.capsules) +
         "\nidle_timeout_s = 0\nmax_idle_age_s = 0\n"
         "[profiles.data.run]\ngrace_s = " +
         std::to_string(kGrace.count()) +
         "\n"
         "[profiles.base.pool]\nwarm = 0\ncapsules = 0\n";
}

Status write_file(const std::string& path, const std::string& text) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return system_failure("open " + path);
  return write_all(file.get(), text);
}

tl::unexpected<Error> start_failure(const std::string& log_file, const Error& why) {
  const std::string log = read_file(log_file, kLogBytes).value_or("");
  const std::string tail = log.substr(log.size() - std::min(log.size(), kLogTailBytes));
  return failure(why.code, "the manager did not become ready (" + why.message + "):\n" + tail);
}

Result<cli::Json> info(cli::Client& client, const std::string& section) {
  InfoRequest request;
  request.sections = {section};
  const Result<std::string> text = cli::request_document(client, std::move(request));
  if (!text) return tl::unexpected(text.error());
  return cli::parse_document(*text);
}

Result<cli::Json> pools(cli::Client& client) {
  return info(client, "pools").map([](const cli::Json& document) { return cli::list(document, "pools"); });
}

Result<cli::Json> own_pool(cli::Client& client) {
  const Result<cli::Json> all = pools(client);
  if (!all) return all;
  for (const cli::Json& pool : *all) {
    if (cli::text_field(pool, "profile") == kProfile) return pool;
  }
  return failure(Errc::kUnavailable, "the manager has no profile data: numpy, pandas and matplotlib are needed");
}

}  // namespace

Result<std::unique_ptr<Subject>> Subject::start(const Options& options) {
  const Result<std::string> program = cli::find_manager_binary();
  if (!program) return tl::unexpected(program.error());
  std::string directory = std::filesystem::temp_directory_path().string() + "/capsule-bench-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) return system_failure("mkdtemp " + directory);
  std::unique_ptr<Subject> subject(new Subject(directory));
  subject->stock_ = options.stock;
  const std::string config_file = directory + "/capsule.toml", log_file = directory + "/log";
  if (auto written = write_file(config_file, config_for(options.stock) + options.config); !written)
    return tl::unexpected(written.error());
  std::vector<std::string> arguments{*program,      "--config",           config_file,  "--socket", subject->socket_,
                                     "--state-dir", directory + "/state", "--ready-fd", "1"};
  if (!options.http.empty()) arguments.insert(arguments.end(), {"--http", options.http});
  Result<Child> manager = Child::start({.arguments = std::move(arguments), .environment = {}, .error_file = log_file});
  if (!manager) return tl::unexpected(manager.error());
  subject->manager_ = std::make_unique<Child>(std::move(*manager));
  const Result<std::string> line = subject->manager_->read_line(now() + kManagerStartTimeout);
  if (!line) return start_failure(log_file, line.error());
  Result<cli::Client> client = cli::Client::connect({subject->socket_, cli::SocketOwner::kNamed});
  if (!client) return start_failure(log_file, client.error());
  subject->client_ = std::make_unique<cli::Client>(std::move(*client));
  return subject;
}

Subject::~Subject() {
  client_.reset();
  if (manager_) manager_->terminate();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

Status Subject::wait_for_stock() {
  const TimePoint deadline = now() + kStockTimeout;
  for (;;) {
    const Result<cli::Json> pool = own_pool(*client_);
    if (!pool) return tl::unexpected(pool.error());
    const cli::Json &workers = cli::field(*pool, "workers"), &capsules = cli::field(*pool, "capsules");
    const uint64_t busy = cli::count_field(workers, "starting") + cli::count_field(workers, "retiring") +
                          cli::count_field(capsules, "starting");
    if (busy == 0 && cli::count_field(workers, "idle") >= stock_.workers &&
        cli::count_field(capsules, "ready") >= stock_.capsules) {
      return {};
    }
    if (now() >= deadline) return failure(Errc::kTimedOut, "the pool was not full in time: " + pool->dump());
    poll(nullptr, 0, static_cast<int>(kStockInterval.count()));
  }
}

Result<std::string> Subject::http_address() {
  return info(*client_, "manager").map([](const cli::Json& document) {
    return cli::text_field(cli::field(document, "manager"), "http");
  });
}

Result<std::vector<std::string>> Subject::preload() {
  return own_pool(*client_).map([](const cli::Json& pool) {
    std::vector<std::string> modules;
    for (const cli::Json& module : cli::list(pool, "preload")) modules.push_back(module.get<std::string>());
    return modules;
  });
}

Result<std::vector<pid_t>> Subject::zygotes() {
  return pools(*client_).map([](const cli::Json& all) {
    std::vector<pid_t> pids;
    for (const cli::Json& pool : all) pids.push_back(static_cast<pid_t>(cli::count_field(pool, "zygote_pid")));
    return pids;
  });
}

}  // namespace capsule::bench
