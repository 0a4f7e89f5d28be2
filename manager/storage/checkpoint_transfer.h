// The way of a checkpoint between a pipe and the disk, on the loop: a save reads what a copy of a session writes, a
// load writes what a new worker reads. Slices go through the storage thread, a few at a time; a slow process at the
// other end holds up nobody.
//
// One object is one transfer. Its callback is called once, from the loop, and not after its destruction; destroying it
// gives the transfer up (nothing appears). It keeps no time: whoever owns it does, and ends the process at the other
// end.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "manager/async/loop.h"
#include "manager/storage/checkpoint_store.h"
#include "manager/storage/storage_thread.h"

namespace capsule {

// Shared by the rooms; used on the storage thread only.
using SharedStore = std::shared_ptr<CheckpointStore>;

struct CheckpointTarget {
  uid_t uid = 0;
  std::string name;
  IfThere if_there = IfThere::kRefuse;
  PythonVersion python;
};

class CheckpointSave {
 public:
  struct Outcome {
    Result<CheckpointEntry> entry;  // kClosed: the process ended before the payload was whole
    std::string name_at_work;       // with kClosed: what it was pickling then; empty: nothing yet
  };
  using Done = std::function<void(Outcome)>;
  // Makes the metadata of the file of what the process said about the namespace (JSON, not trusted).
  using Compose = std::function<std::string(const std::string& of_namespace)>;

  // Reads `pipe` to the end of the payload. `compose` runs on the storage thread.
  CheckpointSave(Loop& loop, StorageThread& storage, SharedStore store, CheckpointTarget target, UniqueFd pipe,
                 Compose compose, Done done);
  ~CheckpointSave();
  CheckpointSave(const CheckpointSave&) = delete;
  CheckpointSave& operator=(const CheckpointSave&) = delete;

  uint64_t bytes_read() const;  // for a watch on its progress
  bool is_writing() const;      // what was read is on its way to the disk

 private:
  struct State;
  std::shared_ptr<State> state_;
};

class CheckpointLoad {
 public:
  // kInvalid: the file is damaged, what came out of the pipe is not to be used. kClosed: nobody reads.
  using Done = std::function<void(Result<CheckpointInfo>)>;

  // Writes the payload into `pipe` and closes it.
  CheckpointLoad(Loop& loop, StorageThread& storage, CheckpointStore::Opened opened, UniqueFd pipe, Done done);
  ~CheckpointLoad();
  CheckpointLoad(const CheckpointLoad&) = delete;
  CheckpointLoad& operator=(const CheckpointLoad&) = delete;

  uint64_t bytes_written() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace capsule
