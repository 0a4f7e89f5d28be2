// The directory of one run: run-info.yaml and the files it names. For the storage thread.
//
// run-info.yaml appears whole, by rename, and last: what it names is there. A file without content is not made.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "manager/storage/spare_inodes.h"

namespace capsule {

namespace run_file {
inline constexpr const char* kInfo = "run-info.yaml";
inline constexpr const char* kCode = "code.py";
inline constexpr const char* kStdout = "stdout.txt";
inline constexpr const char* kStderr = "stderr.txt";
inline constexpr const char* kResults = "results.json";
inline constexpr const char* kTrace = "trace.jsonl";
}  // namespace run_file

inline constexpr uint64_t kFolderBytes = 4096;  // what a directory counts besides its files

class RunFolder {
 public:
  // Below `runs`, made when it is missing. The id was made by the manager: [0-9a-f-].
  // What it is made of comes from `spare`, which outlives it, as far as that has any.
  static Result<RunFolder> make(int runs, const std::string& run_id, SpareInodes& spare);

  Status replace(const char* name, std::string_view content) const;  // whole, by rename
  Status write_at(const char* name, uint64_t offset, std::string_view bytes) const;

 private:
  RunFolder(UniqueFd directory, SpareInodes& spare) : directory_(std::move(directory)), spare_(&spare) {}
  UniqueFd directory_;
  SpareInodes* spare_;
};

// At most `bytes_max` from `offset` on; a file that is missing is empty.
Result<std::string> read_run_file(int runs, const std::string& run_id, const char* name, uint64_t offset,
                                  size_t bytes_max);
uint64_t run_file_bytes(int runs, const std::string& run_id, const char* name);  // 0 when it is missing

}  // namespace capsule
