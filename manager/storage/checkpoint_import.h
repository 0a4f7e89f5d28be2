// A checkpoint that comes from outside, as a file in pieces. It appears only after all of it was checked. For the
// storage thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "manager/storage/checkpoint_reader.h"
#include "manager/storage/checkpoint_store.h"

namespace capsule {

class CheckpointImport {
 public:
  // Errors as those of CheckpointStore::begin(). The store must outlive it.
  static Result<CheckpointImport> begin(CheckpointStore& store, uid_t uid, std::string_view name, IfThere if_there);

  Status append(std::string_view piece);  // kTooLarge: the quota, or the disk is full
  // After the last piece, again and again until there is an entry: each call checks one part of it. kInvalid: damaged.
  Result<std::optional<CheckpointEntry>> finish();

 private:
  CheckpointImport(CheckpointStore& store, CheckpointStore::Begun begun) : store_(&store), begun_(std::move(begun)) {}

  CheckpointStore* store_;
  CheckpointStore::Begun begun_;
  uint64_t bytes_ = 0;
  std::optional<CheckpointCheck> check_;
};

}  // namespace capsule
