#include "manager/doctor.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <nlohmann/json.hpp>

#include "base/posix_io.h"

namespace capsule {
namespace {

using Json = nlohmann::json;
constexpr seconds kDoctorPatience{10};
constexpr size_t kDocumentBytes = 64 << 10;

struct Started {
  pid_t pid = 0;
  UniqueFd output;
};

Result<Started> start(const std::string& program, unsigned user) {
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected<Error>(pipe.error());
  std::vector<std::string> words{program};
  if (user != 0) words.insert(words.end(), {"--user", std::to_string(user)});
  words.emplace_back("--doctor");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  char* no_environment[] = {nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe->second.get(), STDOUT_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  Started started;
  const int failed = posix_spawn(&started.pid, program.c_str(), &actions, nullptr, argv.data(), no_environment);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    errno = failed;
    return system_failure("start " + program);
  }
  started.output = std::move(pipe->first);
  return started;
}

std::string text_of(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : std::string();
}

constexpr const char* kGroupProof = ": in a group of one a second process was refused, and memory was counted";
constexpr const char* kDelegate = "in the manager's systemd unit: Delegate=memory pids cpu";

Result<DoctorFindings> judge(std::string_view text) {
  if (text.empty()) return failure(Errc::kSystem, "the doctor said nothing");
  return parse_findings(text);
}

}  // namespace

void add_cgroups(DoctorFindings& findings, const Layer& cgroup) {
  const bool on = cgroup.state == "on";
  findings.rows.push_back(
      {cgroup.name, cgroup.state, on ? cgroup.detail + kGroupProof : "", on ? "" : cgroup.detail, on ? "" : kDelegate});
}

std::vector<Layer> DoctorFindings::layers() const {
  std::vector<Layer> all;
  for (const Row& row : rows) all.push_back({row.name, row.state, row.state == "on" ? row.proof : row.reason});
  return all;
}

Result<DoctorFindings> parse_findings(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object() || !document.contains("layers") || !document["layers"].is_array()) {
    return failure(Errc::kInvalid, "what the doctor said cannot be read");
  }
  DoctorFindings findings;
  findings.took_us = document.value("took_us", uint64_t{0});
  for (const Json& row : document["layers"]) {
    findings.rows.push_back({text_of(row, "name"), text_of(row, "state"), text_of(row, "proof"), text_of(row, "reason"),
                             text_of(row, "fix")});
  }
  return findings;
}

std::string findings_document(const DoctorFindings& findings, Floor floor) {
  const std::vector<Layer> layers = findings.layers();
  const std::vector<std::string> missing = missing_layers(floor, layers);
  Json rows = Json::array();
  for (const auto& row : findings.rows) {
    rows.push_back(
        {{"name", row.name}, {"state", row.state}, {"proof", row.proof}, {"reason", row.reason}, {"fix", row.fix}});
  }
  const Json document = {{"v", 1},
                         {"floor", to_string(floor)},
                         {"met", missing.empty()},
                         {"missing", missing},
                         {"best", to_string(floor_of(layers))},
                         {"took_us", findings.took_us},
                         {"layers", std::move(rows)}};
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Doctor::Doctor(Loop& loop, const std::string& worker_program, unsigned user, Done done)
    : patience_(loop), done_(std::move(done)) {
  auto started = start(worker_program, user);
  if (!started) {
    patience_.after(Duration::zero(), [this, error = started.error()] { finish(tl::unexpected<Error>(error)); });
    return;
  }
  pid_ = started->pid;
  output_.emplace(loop, std::move(started->output));
  output_->on_readable([this] { read_some(); });
  patience_.after(kDoctorPatience, [this] { finish(failure(Errc::kTimedOut, "the doctor does not end")); });
}

Doctor::~Doctor() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Doctor::read_some() {
  std::array<char, 4096> block;
  const ssize_t got = read(output_->fd(), block.data(), block.size());
  if (got < 0) return;
  if (got == 0 || text_.size() > kDocumentBytes) return finish(judge(text_));
  text_.append(block.data(), static_cast<size_t>(got));
}

void Doctor::finish(Result<DoctorFindings> found) {
  if (output_) output_->close();
  patience_.cancel();
  if (pid_ != 0) {
    kill(pid_, SIGKILL);  // it has said all it had to say
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  if (done_) std::exchange(done_, nullptr)(std::move(found));
}

Result<DoctorFindings> run_doctor(const std::string& worker_program, unsigned user) {
  auto started = start(worker_program, user);
  if (!started) return tl::unexpected<Error>(started.error());
  std::string text;
  std::array<char, 4096> block;
  ssize_t got = 0;
  while (text.size() < kDocumentBytes && (got = read(started->output.get(), block.data(), block.size())) > 0) {
    text.append(block.data(), static_cast<size_t>(got));
  }
  waitpid(started->pid, nullptr, 0);
  return judge(text);
}

}  // namespace capsule
