#include "manager/files/scratch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <vector>

#include "base/clock.h"
#include "manager/cgroup/group_claim.h"
#include "manager/files/remove_tree.h"
#include "manager/observe/log.h"

namespace capsule {
namespace fs = std::filesystem;
namespace {

constexpr seconds kLastWords{2};
constexpr size_t kNamesALook = 1024;            // more are found by the next look
constexpr const char* kDiscarded = "removed-";  // and a number
constexpr const char* kStuck = "stuck-";        // could not be removed: not tried again by this manager

std::vector<std::string> names_in(const std::string& directory, std::string_view prefix) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (names.size() < kNamesALook && name.starts_with(prefix)) names.push_back(name);
  }
  return names;
}

UniqueFd open_directory(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

}  // namespace

ScratchPlace::~ScratchPlace() { scratch_->discard(path_); }

Scratch::Scratch(std::string directory, std::string owner)
    : directory_(std::move(directory)), own_path_(directory_ + "/capsule-" + owner) {}

Scratch::~Scratch() {
  if (thread_.joinable()) {
    std::unique_lock lock(mutex_);
    (void)changed_.wait_for(lock, kLastWords, [this] { return is_idle_ && !is_asked_; });
    stopping_ = true;
    stop_ = true;
    lock.unlock();
    changed_.notify_all();
    thread_.join();
  }
  if (own_) rmdir(own_path_.c_str());
}

void Scratch::reap() {
  if (directory_.empty() || names_in(directory_, "capsule-").empty()) return;
  {
    const std::lock_guard lock(mutex_);
    looks_for_dead_ = true;
  }
  wake();
}

Result<std::shared_ptr<ScratchPlace>> Scratch::make(const std::string& name) {
  if (directory_.empty()) return failure(Errc::kUnavailable, "there is no directory for workspaces (server.state_dir)");
  if (!own_) {
    auto own = claim_group(own_path_);
    if (!own) return tl::unexpected<Error>(own.error());
    own_ = std::move(*own);
  }
  const std::string path = own_path_ + "/for-" + name;
  if (mkdir(path.c_str(), 0700) != 0) return system_failure("cannot make " + path);
  return std::make_shared<ScratchPlace>(shared_from_this(), path);
}

// By another name at once, in the same directory: that takes no time, whatever is in it and whoever may open it.
void Scratch::discard(const std::string& path) {
  const std::string name = own_path_ + "/" + kDiscarded + std::to_string(++discarded_);
  if (rename(path.c_str(), name.c_str()) != 0) return;  // gone already
  wake();
}

void Scratch::wake() {
  {
    const std::lock_guard lock(mutex_);
    is_asked_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the loop's
  thread_ = std::thread([this] { work(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Scratch::work() {
  for (std::unique_lock lock(mutex_);;) {
    changed_.wait(lock, [this] { return is_asked_ || stopping_; });
    if (stopping_) return;
    is_asked_ = is_idle_ = false;
    const bool looks_for_dead = std::exchange(looks_for_dead_, false);
    lock.unlock();
    if (looks_for_dead) remove_dead_managers();
    while (remove_discarded()) {
    }
    lock.lock();
    is_idle_ = true;
    changed_.notify_all();
  }
}

// True: some were removed, and there may be more.
bool Scratch::remove_discarded() {
  const UniqueFd own = open_directory(own_path_);
  if (!own) return false;
  bool some = false;
  for (const std::string& name : names_in(own_path_, kDiscarded)) {
    const Status removed = remove_tree(own.get(), name, stop_);
    if (stop_) return false;
    some = true;
    if (removed) continue;
    log_warning("a workspace could not be removed",
                {{"path", own_path_ + "/" + name}, {"error", removed.error().message}});
    const std::string stuck = kStuck + name;
    if (renameat(own.get(), name.c_str(), own.get(), stuck.c_str()) != 0) return false;
  }
  return some;
}

void Scratch::remove_dead_managers() {
  const UniqueFd all = open_directory(directory_);
  if (!all) return;
  for (const std::string& name : names_in(directory_, "capsule-")) {
    const std::string path = directory_ + "/" + name;
    const UniqueFd held = hold_dead(path);
    if (!held) continue;
    log_info("removing what a dead manager left", {{"path", path}});
    const Status removed = remove_tree(all.get(), name, stop_);
    if (stop_) return;
    if (!removed) log_warning("a workspace could not be removed", {{"path", path}, {"error", removed.error().message}});
  }
}

}  // namespace capsule
