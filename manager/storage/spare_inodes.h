// Directories and files of records that retention removed, for those of new runs. To make an inode ext4 searches past
// every inode of the group that was deleted in the last minutes: with as many runs going as coming that is most of what
// a record costs (docs/decisions/0025-spare-inodes.md). Renaming one searches nothing. Their content is gone when they
// come here: files are cut to nothing.
//
// For the storage thread. What does not fit is deleted; where renaming does not work, all of it is as without.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule {

class SpareInodes {
 public:
  static constexpr size_t kDirectories = 256, kFiles = 1024;

  // `directory` is for this alone; what an earlier manager left there is deleted.
  explicit SpareInodes(UniqueFd directory);

  // The directory of a run goes, with its files. One that is not there is no error.
  Status take(int runs, const std::string& run_id);

  // False: there is none to give, or something of that name is there already.
  bool give_directory(int runs, const std::string& run_id) { return give(directories_, runs, run_id.c_str()); }
  bool give_file(int directory, const char* name) { return give(files_, directory, name); }

  size_t files() const { return files_.size(); }
  size_t directories() const { return directories_.size(); }

 private:
  bool give(std::vector<std::string>& from, int directory, const char* name);
  Status take_file(int directory, const char* name);

  UniqueFd directory_;
  std::vector<std::string> directories_, files_;  // names
  uint64_t named_ = 0;
};

}  // namespace capsule
