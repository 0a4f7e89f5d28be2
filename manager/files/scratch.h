// Directories for capsules that cannot have a private root, in one of this manager's own: it holds a lock on that, so
// that a later manager knows what a killed one left, and removes it. Removing takes as long as what a program left is
// large, so it happens on a thread of its own, which is there only once there is something to remove.
//
// On the loop's thread, but for that one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule {

class Scratch;

// One of them: removed when its last owner goes.
class ScratchPlace {
 public:
  ScratchPlace(std::shared_ptr<Scratch> scratch, std::string path)
      : scratch_(std::move(scratch)), path_(std::move(path)) {}
  ~ScratchPlace();
  ScratchPlace(const ScratchPlace&) = delete;
  ScratchPlace& operator=(const ScratchPlace&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::shared_ptr<Scratch> scratch_;
  std::string path_;
};

class Scratch : public std::enable_shared_from_this<Scratch> {
 public:
  // `directory` may be empty: there is none. `owner` is in the name of this manager's own (group_owner()).
  Scratch(std::string directory, std::string owner);
  // Waits two seconds for what is being removed; the rest is left to the next manager.
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // At start: what dead managers left.
  void reap();
  Result<std::shared_ptr<ScratchPlace>> make(const std::string& name);

 private:
  friend class ScratchPlace;
  void discard(const std::string& path);
  void wake();
  void work();
  bool remove_discarded();
  void remove_dead_managers();

  const std::string directory_, own_path_;
  UniqueFd own_;  // holds the lock; none before the first place is made
  uint64_t discarded_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_asked_ = false, looks_for_dead_ = false, is_idle_ = true, stopping_ = false;
  std::atomic<bool> stop_ = false;  // within a tree
  std::thread thread_;
};

}  // namespace capsule
