// The durable checkpoints of all users: one directory for each uid, one file for each checkpoint, below the manager's
// state directory. Names are checked, paths never accepted. For the storage thread; one store for a directory.
//
// A checkpoint appears whole or not at all: it is written under a temporary name, synced, renamed, and the directory is
// synced. What a killed writer left behind is removed by open().
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "manager/storage/checkpoint_reader.h"
#include "manager/storage/checkpoint_writer.h"

namespace capsule {

inline constexpr size_t kCheckpointNameBytes = 64;

// A letter or digit, then letters, digits, `.`, `_` and `-`; kInvalid says so.
Status check_checkpoint_name(std::string_view name);

struct CheckpointQuota {
  uint64_t count_max = 0, bytes_max = 0;  // of one uid
  uint64_t payload_bytes_max = 0;         // of one checkpoint, before compression
};

struct CheckpointEntry {
  std::string name;
  uint64_t file_bytes = 0;
  int64_t written_ms = 0;  // wall clock
  CheckpointInfo info;
  std::string problem;  // why it cannot be used; `info` is then empty
};

enum class IfThere { kRefuse, kReplace };

// One that is being written: saved or imported. Destroying it gives it up.
class CheckpointDraft {
 public:
  ~CheckpointDraft();
  CheckpointDraft(const CheckpointDraft&) = delete;
  CheckpointDraft& operator=(const CheckpointDraft&) = delete;

 private:
  friend class CheckpointStore;
  CheckpointDraft() = default;
  Result<UniqueFd> open_part() const;

  uid_t uid_ = 0;
  std::string name_, part_name_;
  IfThere if_there_ = IfThere::kRefuse;
  UniqueFd directory_;
  bool is_there_ = false;  // the file under its temporary name
};

class CheckpointStore {
 public:
  static Result<std::unique_ptr<CheckpointStore>> open(const std::string& directory, CheckpointQuota quota);

  // Sorted by name. A file that cannot be read is listed with its problem.
  Result<std::vector<CheckpointEntry>> list(uid_t uid) const;
  Result<CheckpointEntry> show(uid_t uid, std::string_view name) const;  // kNotFound
  Status remove(uid_t uid, std::string_view name);
  // To restore it, or to hand it out as it is. Only its metadata was checked.
  struct Opened {
    UniqueFd file;
    CheckpointInfo info;
  };
  Result<Opened> open_checkpoint(uid_t uid, std::string_view name) const;

  // kConflict: the name is taken, kTooLarge: the quota. Nothing is to be seen of it before commit().
  struct Begun {
    std::unique_ptr<CheckpointDraft> draft;
    UniqueFd file;
    uint64_t bytes_max = 0;  // what it may have
  };
  Result<Begun> begin(uid_t uid, std::string_view name, IfThere if_there);
  // The file must be a whole checkpoint, written and synced; only its metadata is checked here.
  Result<CheckpointEntry> commit(std::unique_ptr<CheckpointDraft> draft);

 private:
  struct Use {
    uint64_t count = 0, bytes = 0;
    bool has_name = false;
  };
  CheckpointStore(UniqueFd root, CheckpointQuota quota);
  Result<UniqueFd> directory_of(uid_t uid) const;  // kNotFound when it has none
  Result<Use> use_of(int directory, std::string_view name) const;
  Status check_room(const Use& use, std::string_view name, IfThere if_there, uint64_t more_bytes) const;
  Status remove_leftovers();

  UniqueFd root_;
  CheckpointQuota quota_;
};

}  // namespace capsule
