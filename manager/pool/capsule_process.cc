#include "manager/pool/capsule_process.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/posix_io.h"
#include "manager/cgroup/detect.h"
#include "manager/observe/log.h"
#include "manager/pool/id_map_writer.h"

namespace capsule {
namespace {
constexpr seconds kSweepPatience{2};
constexpr seconds kAnswerPatience{10};
}  // namespace

CapsuleProcess::CapsuleProcess(Loop& loop, Start start, const WorkerConfig& config, Metrics& metrics)
    : loop_(loop),
      metrics_(metrics),
      config_(config),
      cgroups_(start.cgroups),
      cgroup_mode_(start.cgroup_mode),
      limits_(start.limits),
      allowed_hosts_(std::move(start.allowed_hosts)),
      cgroup_(std::move(start.cgroup)),
      memory_limit_bytes_(cgroup_ ? limits_.memory_bytes : 0),
      workspace_max_(start.workspace_size),
      workspace_size_(start.workspace_size),
      resize_(std::move(start.resize)),
      id_(start.id),
      name_(std::move(start.name)),
      profile_(std::move(start.profile)),
      workspace_(std::move(start.workspace)),
      user_(start.user),
      channel_(std::make_shared<FrameChannel>(loop, std::move(start.link), PassedFds::kTaken, label::Socket::kWorker,
                                              metrics)),
      pidfd_(loop, std::move(start.pidfd)),
      kill_timer_(loop),
      patience_(loop),
      around_(std::move(start.around)),
      depth_(around_ ? around_->depth_ + 1 : 0),
      relay_(std::move(start.relay)) {}

CapsuleProcess::~CapsuleProcess() {
  if (!gone_) kill();
}

void CapsuleProcess::begin(Events events) {
  events_ = std::move(events);
  FrameChannel::Handlers handlers;
  handlers.on_message = [self = weak_from_this()](Message message, size_t) {
    if (const auto capsule = self.lock()) capsule->handle(std::move(message));
  };
  handlers.on_end = [self = weak_from_this()](const Error& error) {
    const auto capsule = self.lock();
    if (!capsule) return;
    if (!capsule->destroyed_) {
      log_about(capsule->works_for(), LogLevel::kDebug, "keeper closed its link",
                {{"capsule", capsule->name_}, {"error", error.message}});
    }
    capsule->destroyed_ = true;
    capsule->kill();
  };
  pid_ = pid_of(pidfd_.fd());
  channel_->start(std::move(handlers));
  if (around_) {
    placed_ = true;
  } else if (enters_cgroup_itself()) {
    open_cgroup();
  } else {
    join_cgroup();
    if (user_ != 0) tell_mapped({});
  }
  // Strong: the keeper is reaped even when nobody else remembers this capsule.
  pidfd_.on_readable([self = shared_from_this()] { self->pidfd_readable(); });
}

// While the keeper sets its capsule up: a worker, and so user code, comes only after.
void CapsuleProcess::join_cgroup() {
  if (!cgroups_.has_groups() || cgroup_mode_ == CgroupMode::kOff || pid_ == 0) {
    placed_ = true;
    return;
  }
  cgroups_.place(name_ + "-" + profile_, limits_, pid_, [self = shared_from_this()](Result<CapsuleCgroup> placed) {
    self->placed_ = true;
    if (!placed) {
      log_warning("a capsule has no control group", {{"capsule", self->name_}, {"error", placed.error().message}});
    } else if (self->gone_) {
      return self->cgroups_.remove(std::move(*placed));
    } else {
      self->cgroup_ = std::move(*placed);
      self->memory_limit_bytes_ = self->limits_.memory_bytes;
    }
    self->ready_when_placed();
  });
}

// Only a keeper that waits for us anyway can be handed the way in.
bool CapsuleProcess::enters_cgroup_itself() const {
  return user_ != 0 && pid_ != 0 && cgroup_mode_ != CgroupMode::kOff && cgroups_.can_be_entered();
}

void CapsuleProcess::open_cgroup() {
  cgroups_.make(name_ + "-" + profile_, limits_, [self = shared_from_this()](Result<CapsuleCgroup> made) {
    auto doors = made.and_then([](const CapsuleCgroup& group) { return group.doors(); });
    if (made && (self->gone_ || !doors)) self->cgroups_.remove(std::move(*made));
    if (self->gone_) return;
    if (doors) {
      self->cgroup_ = std::move(*made);
      // Without a user namespace the keeper did not wait to be told, and may have said hello before this.
      return self->hello_.role.empty() ? self->tell_mapped(std::move(*doors)) : self->heard_of_cgroup();
    }
    log_warning("a capsule has no control group", {{"capsule", self->name_}, {"error", doors.error().message}});
    self->placed_ = true;
    self->tell_mapped({});
    self->ready_when_placed();
  });
}

void CapsuleProcess::tell_mapped(std::vector<UniqueFd> doors) {
  const Status mapped = write_id_maps_of(pid_, user_);
  channel_->send(Mapped{mapped ? std::string() : mapped.error().message}, std::move(doors));
}

// The keeper says whether it could enter. One without a user namespace did not wait, and is put there.
void CapsuleProcess::heard_of_cgroup() {
  if (placed_ || !cgroup_) return ready_when_placed();
  const auto said = std::find_if(hello_.layers.begin(), hello_.layers.end(),
                                 [](const Layer& layer) { return layer.name == "cgroup"; });
  if (said == hello_.layers.end()) {
    cgroup_.reset();  // its directories stay, and are taken again
    return join_cgroup();
  }
  if (said->state == "on") {
    memory_limit_bytes_ = limits_.memory_bytes;
  } else {
    log_warning("a capsule has no control group", {{"capsule", name_}, {"error", said->detail}});
    cgroups_.remove(std::move(*cgroup_));
    cgroup_.reset();
  }
  hello_.layers.erase(said);
  placed_ = true;
  ready_when_placed();
}

void CapsuleProcess::ready_when_placed() {
  if (!placed_ || hello_.role.empty() || gone_ || destroyed_) return;
  Layer layer = cgroups_.layer();
  if (cgroup_mode_ == CgroupMode::kOff) layer = no_group("turned off (sandbox.cgroup)");
  if (!cgroup_ && layer.state != "off") layer = no_group("this capsule could not be put into its group");
  hello_.layers.push_back(std::move(layer));
  events_.on_ready(hello_);
}

CapsuleUsage CapsuleProcess::usage(MemoryCount count, Usages wanted) const {
  CapsuleUsage usage;
  if (wanted == Usages::kOomKills) {
    usage.oom_kills = cgroup_ ? cgroup_->oom_kills() : 0;
    return usage;
  }
  const CgroupReadings counted = cgroup_ ? cgroup_->read() : CgroupReadings{};
  usage.oom_kills = counted.oom_kills;
  usage.peak_bytes = counted.peak_bytes;
  TreeUsage tree;
  if (!counted.cpu_us || !counted.memory_bytes) tree = read_tree(count);
  usage.cpu_us = counted.cpu_us.value_or(tree.cpu_us);
  usage.memory_bytes = counted.memory_bytes.value_or(tree.memory_bytes);
  return usage;
}

void CapsuleProcess::start_worker(uint64_t id, Demand demand, WorkerStarted started) {
  if (gone_ || destroyed_) return started(failure(Errc::kClosed, "the capsule is gone"));
  auto link = make_stream_socketpair();
  if (!link) return started(tl::unexpected<Error>(link.error()));
  const uint64_t request = ++last_request_;
  branching_.emplace(request, Pending{id, std::move(link->first), std::move(started)});
  Branch branch;
  branch.id = request;
  branch.name = "worker-" + std::to_string(id);
  branch.awaited = demand == Demand::kAwaited;
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(link->second));
  channel_->send(branch, std::move(fds));
  expect_answer();
}

// A keeper that hangs (a program cannot stop it, an administrator can) takes its capsule along.
void CapsuleProcess::expect_answer() {
  if (owed_answers() != 1) return;
  patience_.after(kAnswerPatience, [self = weak_from_this()] {
    const auto capsule = self.lock();
    if (!capsule || capsule->gone_ || capsule->owed_answers() == 0) return;
    log_about(capsule->works_for(), LogLevel::kError, "keeper does not answer and is killed",
              {{"capsule", capsule->name_}});
    capsule->destroyed_ = true;
    capsule->kill();
  });
}

void CapsuleProcess::sweep(pid_t woken, std::function<void(Status)> done) {
  if (gone_ || destroyed_) return done(failure(Errc::kClosed, "the capsule is gone"));
  const uint64_t request = ++last_request_;
  sweeping_.emplace(request, std::move(done));
  channel_->send(Sweep{request, woken});
  expect_answer();
}

std::shared_ptr<Worker> CapsuleProcess::adopt_worker(uint64_t id, UniqueFd link, UniqueFd pidfd, pid_t pid_in_capsule,
                                                     std::vector<Layer> layers) {
  Worker::Start start{id,
                      "worker-" + std::to_string(id),
                      profile_,
                      std::move(link),
                      std::move(pidfd),
                      pid_in_capsule,
                      std::move(layers)};
  auto worker = std::make_shared<Worker>(loop_, std::move(start), config_, metrics_);
  pid_t pid_there = 0;
  CapsuleProcess& guardian = guardian_of(pid_in_capsule, pid_there);
  guardian.copies_.erase(pid_there);
  guardian.workers_[pid_there] = worker;
  worker->begin();
  return worker;
}

uint32_t CapsuleProcess::own_user() const {
  const bool is_mapped = std::any_of(hello_.layers.begin(), hello_.layers.end(),
                                     [](const Layer& layer) { return layer.name == "id_maps" && layer.state == "on"; });
  return is_mapped ? user_ : 0;
}

bool CapsuleProcess::is_contained() const {
  return std::any_of(hello_.layers.begin(), hello_.layers.end(),
                     [](const Layer& layer) { return layer.name == "pidns" && layer.state == "on"; });
}

std::vector<Layer> CapsuleProcess::layers_of(const Worker& worker) const {
  std::vector<Layer> all;
  all.reserve(hello_.layers.size() + worker.hello().layers.size());
  all.insert(all.end(), hello_.layers.begin(), hello_.layers.end());
  all.insert(all.end(), worker.hello().layers.begin(), worker.hello().layers.end());
  return all;
}

void CapsuleProcess::destroy() {
  if (gone_ || destroyed_) return;
  if (has_nested()) {
    if (!std::exchange(emptied_, true)) sweep(0, [](const Status&) {});
    return;
  }
  destroyed_ = true;
  if (is_contained() || !channel_->is_open()) return kill();
  channel_->send(Shutdown{});
  kill_timer_.after(kSweepPatience, [self = weak_from_this()] {
    if (const auto capsule = self.lock()) capsule->kill();
  });
}

void CapsuleProcess::kill() {
  if (pidfd_.is_open()) send_kill(pidfd_.fd());
  channel_->close();
}

void CapsuleProcess::handle(Message message) {
  if (auto* hello = std::get_if<Hello>(&message)) {
    hello_ = std::move(*hello);
    for (UniqueFd& fd : channel_->take_fds()) adopt(std::move(fd));
    if (!hello_.failure.empty()) return destroy();
    return heard_of_cgroup();
  }
  if (const auto* reply = std::get_if<Branched>(&message)) return branched(*reply);
  if (const auto* report = std::get_if<Exited>(&message)) return exited(*report);
  if (const auto* ack = std::get_if<Ack>(&message)) {
    if (const auto swept = sweeping_.extract(ack->re); !swept.empty()) return swept.mapped()(Status{});
    if (const auto compared = comparing_.extract(ack->re); !compared.empty()) compared.mapped()(ack->detail.empty());
    return;
  }
  if (const auto* error = std::get_if<ErrorReply>(&message)) {
    log_about(works_for(), LogLevel::kError, "keeper refused a request",
              {{"capsule", name_}, {"error", error->message}});
    return destroy();
  }
}

// Sent along with hello by the keeper, which runs no user code.
void CapsuleProcess::adopt(UniqueFd fd) {
  struct stat what {};
  if (fstat(fd.get(), &what) == 0 && S_ISSOCK(what.st_mode)) {  // where the programs find the proxy
    if (!allowed_hosts_.empty()) {
      proxy_ = std::make_unique<NetworkProxy>(loop_, std::move(fd), allowed_hosts_, metrics_);
    }
    return;
  }
  if (!S_ISDIR(what.st_mode)) return namespaces_.push_back(std::move(fd));
  auto files = Workspace::adopt(std::move(fd), workspace_);
  if (files) {
    files_ = std::move(*files);
  } else {
    log_warning("a workspace cannot be used", {{"capsule", name_}, {"error", files.error().message}});
  }
}

void CapsuleProcess::branched(const Branched& reply) {
  auto found = branching_.extract(reply.re);
  std::vector<UniqueFd> fds = channel_->take_fds();
  if (auto keeping = keeping_.extract(reply.re); !keeping.empty()) {
    if (!fds.empty()) return keeping.mapped()(std::move(fds[0]));
    return keeping.mapped()(failure(Errc::kClosed, "the keeper does not know the copy: " + reply.failure));
  }
  if (found.empty()) return nested_branched(reply, fds);
  Pending pending = std::move(found.mapped());
  if (!reply.failure.empty() || fds.empty()) {
    return pending.started(failure(Errc::kUnavailable, "cannot fork a worker: " + reply.failure));
  }
  metrics_.spawn_step(label::SpawnStep::kBranchWorker, microseconds(reply.took_us));
  auto worker = std::make_shared<Worker>(loop_,
                                         Worker::Start{pending.worker_id,
                                                       "worker-" + std::to_string(pending.worker_id),
                                                       profile_,
                                                       std::move(pending.link),
                                                       std::move(fds[0]),
                                                       static_cast<pid_t>(reply.pid),
                                                       {}},
                                         config_, metrics_);
  workers_[static_cast<pid_t>(reply.pid)] = worker;
  worker->begin();
  pending.started(std::move(worker));
}

void CapsuleProcess::exited(const Exited& report) {
  const auto ward = wards_.extract(static_cast<pid_t>(report.pid));
  const auto home = ward.empty() ? shared_from_this() : ward.mapped().home.lock();
  if (!ward.empty() && home) home->guests_.erase(ward.mapped().pid_at_home);
  const auto found = workers_.extract(static_cast<pid_t>(report.pid));
  if (!found.empty()) return found.mapped()->reaped(report);
  if (const auto copy = copies_.extract(static_cast<pid_t>(report.pid)); !copy.empty()) {
    if (home) home->count_copies();
    copy.mapped()();
  }
}

void CapsuleProcess::pidfd_readable() {
  siginfo_t info{};
  if (around_) {
    info.si_pid = pid_;  // its own parent reaps it
  } else if (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.fd()), &info,
                    WEXITED | WNOHANG | __WALL) != 0) {
    log_error("cannot reap a keeper", {{"capsule", name_}, {"error", system_failure("waitid").value().message}});
  } else if (info.si_pid == 0) {
    return;  // not yet
  }
  const auto self = shared_from_this();
  gone_ = true;
  pidfd_.close();
  channel_->close();
  if (!destroyed_) {
    log_about(works_for(), LogLevel::kWarning, "a capsule ended by itself",
              {{"capsule", name_}, {"profile", profile_}});
  }
  kill_timer_.cancel();
  patience_.cancel();
  proxy_.reset();
  if (cgroup_) {
    cgroups_.remove(std::move(*cgroup_));
    cgroup_.reset();
  }
  files_.reset();
  workspace_.reset();
  fail_requests({Errc::kClosed, "the capsule is gone"});
  for (const auto& [pid, worker] : std::exchange(workers_, {})) worker->capsule_gone();
  if (around_) {
    around_->nested_keepers_.erase(pid_);
    around_->nested_gone();
  }
  if (events_.on_gone) std::exchange(events_.on_gone, nullptr)();
}

LogIds CapsuleProcess::works_for() const {
  LogIds whom;
  for (const auto& [pid, worker] : workers_) {
    if (whom.run_id.empty()) whom = worker->works_for();
  }
  return whom;
}

void CapsuleProcess::fail_requests(const Error& error) {
  for (auto& [id, pending] : std::exchange(branching_, {})) pending.started(tl::unexpected<Error>(error));
  for (auto& [id, done] : std::exchange(sweeping_, {})) done(tl::unexpected<Error>(error));
  for (auto& [id, asked] : std::exchange(keeping_, {})) asked(tl::unexpected<Error>(error));
  for (auto& [id, nesting] : std::exchange(nesting_, {})) nesting.made(tl::unexpected<Error>(error));
  for (auto& [id, answer] : std::exchange(comparing_, {})) answer(false);
  copies_.clear();
}

}  // namespace capsule
