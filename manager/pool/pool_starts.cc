// How zygotes, capsules and workers come to be, and what happens when they do not.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "manager/floor.h"
#include "manager/observe/log.h"
#include "manager/pool/pool.h"
#include "manager/pool/stock_holder.h"

namespace capsule {
namespace {
// Tasks of Capsule's own in a capsule: the keeper, a worker's link thread, and a worker that takes another's place.
constexpr uint64_t kOwnTasks = 8;
constexpr uint64_t kForksCounted = 256, kTasksMax = 1u << 16;
constexpr const char* kProxyUrl = "http://127.0.0.1:3128";  // where the keeper listens

// For RLIMIT_NPROC, where each capsule has a control group that bounds it: the kernel counts the processes of capsules
// inside against the limit of the capsule around them. 0 is no limit.
uint64_t processes_of_all_forks(uint64_t processes) {
  return std::max(processes, std::min(processes * kForksCounted, kTasksMax));
}
}  // namespace

Prepare Pool::preparation() const {
  Prepare prepare;
  prepare.profile = profile_.name;
  prepare.preload = profile_.preload;
  prepare.environment = environment_.variables;
  fill_content(prepare);
  prepare.namespaces = to_string(profile_.settings.sandbox.namespaces);
  prepare.heartbeat_ms = static_cast<uint64_t>(to_milliseconds(profile_.settings.worker.heartbeat_interval));
  prepare.workspace_bytes = profile_.settings.sandbox.workspace_bytes;
  prepare.workspace_files = profile_.settings.sandbox.workspace_files;
  prepare.own_users = environment_.users != nullptr;
  return prepare;
}

void Pool::start_zygote() {
  ZygoteOptions options;
  options.program = environment_.worker_program;
  options.user = environment_.worker_user;
  options.prepare = preparation();
  breaker_.start_began(now());
  const uint64_t generation = ++next_generation_;
  ZygoteProcess::Events events;
  events.on_ready = [this, generation](const Hello& hello) { zygote_ready(generation, hello); };
  events.on_gone = [this, generation](label::ZygoteRestart cause, const std::string& why) {
    zygote_gone(generation, cause, why);
  };
  auto launched = ZygoteProcess::launch(loop_, std::move(options), std::move(events), metrics_);
  if (!launched) {
    detail_ = launched.error().message;
    return count_death(detail_);
  }
  next_zygote_ = std::move(*launched);
}

void Pool::fill_content(Prepare& prepare) const {
  const ProfileContent& content = profile_.content;
  for (const std::string& name : content.environment_from_host) {
    if (const char* value = getenv(name.c_str())) prepare.environment[name] = value;
  }
  for (const auto& [name, value] : content.environment) prepare.environment[name] = value;
  if (content.network == NetworkMode::kProxy) {
    for (const char* name : {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"}) {
      prepare.environment[name] = kProxyUrl;
    }
    prepare.environment["no_proxy"] = prepare.environment["NO_PROXY"] = "localhost,127.0.0.1";
  }
  prepare.network = to_string(content.network);
  prepare.subprocess = content.subprocess;
  for (const ReadOnlyMount& mount : content.mounts) prepare.mounts.push_back({mount.source, mount.target});
  prepare.packages = content.packages;
  const LimitsConfig& limits = profile_.settings.limits;
  prepare.tmp_bytes = limits.tmp_bytes;
  prepare.shm_bytes = limits.shm_bytes;
  prepare.memory_soft_bytes = limits.soft_bytes();
  const bool has_group =
      !environment_.cgroups->root().tasks.empty() && profile_.settings.sandbox.cgroup != CgroupMode::kOff;
  prepare.processes = has_group ? processes_of_all_forks(limits.processes) : limits.processes;
  prepare.open_files = limits.open_files;
}

// The profile is another than the zygote's. One that is being loaded never was in use.
void Pool::load_anew() {
  if (next_zygote_) {
    breaker_.start_dropped();
    next_zygote_->stop();
    next_zygote_.reset();
  }
  outdated_before_ = next_generation_ + 1;
  if (!zygote_) return;  // the next evaluation starts one
  replaced_why_ = label::ZygoteRestart::kReload;
  start_zygote();
}

void Pool::retire_outdated() {
  std::vector<uint64_t> outdated;
  for (const auto& [id, slot] : slots_) {
    const bool is_leased = slot.use == Slot::Use::kLeased || slot.use == Slot::Use::kSession;
    if (slot.generation < outdated_before_ && !is_leased) outdated.push_back(id);
  }
  for (const uint64_t id : outdated) retire(id, label::Recycle::kZygote);
}

void Pool::zygote_ready(uint64_t generation, const Hello& hello) {
  if (generation != next_generation_ || !next_zygote_ || stopped_) return;
  if (!hello.failure.empty()) {
    log_error("a profile cannot be had", {{"profile", profile_.name}, {"why", hello.failure}});
    breaker_.start_dropped();
    next_zygote_->stop();
    next_zygote_.reset();
    detail_ = hello.failure;
    if (zygote_) return;  // a replacement that fails leaves the old one in place
    unavailable_ = true;
    fail_waiters({Errc::kUnavailable, "profile '" + profile_.name + "' cannot be had: " + detail_});
    return settle();
  }
  breaker_.start_succeeded(now());
  if (zygote_) {
    metrics_.zygote_restarted(handle_, replaced_why_);
    zygote_->stop();
  }
  zygote_ = std::move(next_zygote_);
  zygote_generation_ = generation;
  zygote_lifetime_.emplace(profile_.settings.pool, now(), random());
  detail_.clear();
  retire_outdated();
  for (const auto& [step, us] : hello.timings_us) spawn_timings_us_[step] = us;
  log_info("profile is loaded", {{"profile", profile_.name}, {"zygote_pid", std::to_string(zygote_->pid())}});
  evaluate_soon();
}

void Pool::zygote_gone(uint64_t generation, label::ZygoteRestart cause, const std::string& why) {
  if (stopped_) return;
  const bool was_current = zygote_ && generation == zygote_generation_;
  const bool was_next = next_zygote_ && generation == next_generation_;
  if (was_current) zygote_.reset();
  if (was_next) next_zygote_.reset();
  if (!was_current && !was_next) return;  // one we replaced
  metrics_.zygote_restarted(handle_, cause);
  detail_ = "zygote ended: " + why;
  count_death(detail_);
}

void Pool::replace_zygote_when_due() {
  if (!zygote_ || next_zygote_ || !zygote_lifetime_) return;
  const auto due = zygote_lifetime_->due(zygote_->forks(), now());
  if (!due) return;
  zygote_lifetime_.reset();  // asked once
  replaced_why_ = *due == ZygoteReplacement::kForks ? label::ZygoteRestart::kForks : label::ZygoteRestart::kAge;
  start_zygote();
}

void Pool::start_capsule() {
  if (!zygote_) return;
  const uint64_t id = ++last_id_;
  uint32_t user = 0;
  if (environment_.users != nullptr) {
    const auto taken = environment_.users->take();
    if (!taken) return count_death("all users of server.worker_uid_count are taken");
    user = *taken;
  }
  auto workspace = make_workspace(id, user);
  if (!workspace) {
    give_back_user(user);
    return count_death(workspace.error().message);
  }
  ++branching_capsules_;
  breaker_.start_began(now());
  zygote_->branch({"capsule-" + std::to_string(id), *workspace ? (*workspace)->path() : std::string(), user,
                   stays_in_its_group(user)},
                  [this, of = Branching{id, zygote_generation_, *workspace, user}](Result<BranchedCapsule> branched) {
                    capsule_branched(of, std::move(branched));
                  });
}

// Whether nobody moves the keeper of a capsule once it runs: what it forked before would stay behind.
bool Pool::stays_in_its_group(uint32_t user) const {
  const CgroupKeeper& cgroups = *environment_.cgroups;
  if (!cgroups.has_groups() || profile_.settings.sandbox.cgroup == CgroupMode::kOff) return true;
  return user != 0 && cgroups.can_be_entered();
}

// A directory for a capsule that cannot have a private root; else none.
Result<std::shared_ptr<ScratchPlace>> Pool::make_workspace(uint64_t id, uint32_t user) {
  if (!needs_workspace_ && profile_.settings.sandbox.namespaces != NamespaceMode::kOff) return nullptr;
  auto made = environment_.scratch->make(profile_.name + "-" + std::to_string(id));
  if (!made) return made;
  const std::string& workspace = (*made)->path();
  const bool has_user = user != 0 && std::any_of(layers_.begin(), layers_.end(), [](const Layer& layer) {
                          return layer.name == "id_maps" && layer.state == "on";
                        });
  const uid_t owner = has_user ? user : environment_.worker_user;
  if (owner != 0 && chown(workspace.c_str(), owner, owner) != 0) {
    log_warning("cannot give a workspace to the worker's user", {{"path", workspace}});
  }
  return made;
}

void Pool::give_back_user(uint32_t user) {
  if (user != 0) environment_.users->give_back(user);
}

void Pool::capsule_branched(Branching of, Result<BranchedCapsule> branched) {
  auto& [id, generation, workspace, user] = of;
  --branching_capsules_;
  if (!branched) {
    give_back_user(user);
    if (stopped_) return;
    if (generation == zygote_generation_) return count_death(branched.error().message);
    breaker_.start_dropped();  // we ended that zygote ourselves, for a newer one
    return evaluate_soon();
  }
  metrics_.spawn_step(label::SpawnStep::kBranchCapsule, branched->took);
  spawn_timings_us_["branch_capsule"] = static_cast<uint64_t>(to_microseconds(branched->took));
  CapsuleProcess::Start start{id,
                              "capsule-" + std::to_string(id),
                              profile_.name,
                              std::move(branched->link),
                              std::move(branched->pidfd),
                              std::move(workspace),
                              *environment_.cgroups,
                              profile_.settings.sandbox.cgroup,
                              {profile_.settings.limits.memory_bytes, profile_.settings.limits.processes + kOwnTasks},
                              profile_.content.allowed_hosts,
                              user};
  start.workspace_size = {profile_.settings.sandbox.workspace_bytes, profile_.settings.sandbox.workspace_files};
  start.resize = [this](WorkspaceSize size, UniqueFd worker, const CapsuleProcess::Bounded& done) {
    if (!zygote_) return done(failure(Errc::kUnavailable, "the profile's zygote is being replaced; try again"));
    zygote_->resize(size, std::move(worker), done);
  };
  auto capsule = std::make_shared<CapsuleProcess>(loop_, std::move(start), profile_.settings.worker, metrics_);
  Slot& slot = slots_[id];
  slot.capsule = capsule;
  slot.begun_at = now();
  slot.user = user;
  slot.generation = generation;
  CapsuleProcess::Events events;
  events.on_ready = [this, id = id](const Hello& hello) { capsule_ready(id, hello); };
  events.on_gone = [this, id = id] { capsule_gone(id); };
  capsule->begin(std::move(events));
  if (stopped_) return retire(id, label::Recycle::kShutdown);
  if (generation < outdated_before_ && zygote_generation_ >= outdated_before_) retire_outdated();
}

void Pool::note_layers(const Hello& hello) {
  layers_ = hello.layers;
  layers_.insert(layers_.end(), worker_layers_.begin(), worker_layers_.end());
  for (const auto& [step, us] : hello.timings_us) spawn_timings_us_[step] = us;
}

void Pool::capsule_ready(uint64_t id, const Hello& hello) {
  Slot& slot = slots_.at(id);
  if (slot.use != Slot::Use::kStarting) return;
  breaker_.start_succeeded(now());
  note_layers(hello);
  for (const auto& [step, us] : hello.timings_us) {
    if (step == "capsule_setup") metrics_.spawn_step(label::SpawnStep::kCapsuleSetup, microseconds(us));
  }
  const bool has_root = std::any_of(hello.layers.begin(), hello.layers.end(),
                                    [](const Layer& layer) { return layer.name == "root" && layer.state == "on"; });
  if (!has_root && !slot.capsule->has_workspace()) {
    if (!std::exchange(needs_workspace_, true)) {
      log_warning("capsules have no private root here; they get a directory each", {{"profile", profile_.name}});
    }
    retire(id, label::Recycle::kStartFailed);
    return evaluate_soon();
  }
  slot.use = Slot::Use::kReadyCapsule;
  slot.ready_at = now();
  evaluate_soon();
}

void Pool::capsule_gone(uint64_t id) {
  const auto found = slots_.find(id);
  if (found == slots_.end()) return;
  const Slot::Use use = found->second.use;
  give_back_user(std::exchange(found->second.user, 0));
  if (use == Slot::Use::kLeased || use == Slot::Use::kSession) {
    found->second.use = Slot::Use::kRetiring;  // its holder was told by the worker; release() finds it gone
    metrics_.worker_recycled(handle_, label::Recycle::kCrashed);
  }
  const bool ours = use == Slot::Use::kStarting || use == Slot::Use::kReadyCapsule;
  holders_.erase(id);
  slots_.erase(found);
  if (ours && !stopped_) return count_death("a capsule ended before it was used");
  evaluate_soon();
  if (events_.on_room) events_.on_room();
}

void Pool::start_worker(uint64_t id) {
  Slot& slot = slots_.at(id);
  slot.use = Slot::Use::kWorkerStarting;
  slot.begun_at = now();
  breaker_.start_began(now());
  const auto demand = waiting_.empty() ? CapsuleProcess::Demand::kStock : CapsuleProcess::Demand::kAwaited;
  slot.capsule->start_worker(id, demand, [this, id](Result<std::shared_ptr<Worker>> started) {
    const auto found = slots_.find(id);
    if (found == slots_.end() || found->second.use != Slot::Use::kWorkerStarting) return;
    if (!started) return stock_worker_failed(id, label::Recycle::kStartFailed, started.error().message);
    found->second.worker = *started;
    holders_[id] = std::make_unique<StockHolder>(*this, id);
    (*started)->set_holder(holders_[id].get());
  });
}

void Pool::worker_ready(uint64_t id, const Hello& hello) {
  Slot& slot = slots_.at(id);
  if (slot.use != Slot::Use::kWorkerStarting) return;
  if (!hello.failure.empty()) return stock_worker_failed(id, label::Recycle::kStartFailed, hello.failure);
  worker_layers_ = hello.layers;
  layers_ = slot.capsule->layers_of(*slot.worker);
  // Whatever was possible when the manager started: this one has to hold too.
  const Status held = check_floor(profile_.settings.sandbox.floor, layers_);
  if (!held) {
    unavailable_ = true;
    detail_ = held.error().message;
    log_error("a profile cannot be had", {{"profile", profile_.name}, {"why", detail_}});
    retire(id, label::Recycle::kStartFailed);
    fail_waiters({Errc::kUnavailable, "profile '" + profile_.name + "' cannot be had: " + detail_});
    return settle();
  }
  breaker_.start_succeeded(now());
  slot.worker->apply(WorkerEvent::kReady);
  slot.worker->mark();
  slot.use = Slot::Use::kReadyWorker;
  slot.ready_at = slot.checked_at = now();
  python_ran(slot.ready_at);
  slot.jitter = random();
  for (const auto& [step, us] : hello.timings_us) {
    spawn_timings_us_[step] = us;
    if (step == "warm_up") metrics_.spawn_step(label::SpawnStep::kWarmUp, microseconds(us));
  }
  serve_waiters();
  evaluate_soon();
  if (events_.on_room) events_.on_room();
}

// Only for workers nobody has leased; a capsule goes with its worker.
void Pool::stock_worker_failed(uint64_t id, label::Recycle why, const std::string& text) {
  retire(id, why);
  if (!stopped_) count_death(text);
}

}  // namespace capsule
