// `--display-dir`: saves images, HTML and other representations of displays and results as files, named
// <run id>-<number>.<ext> and <run id>-result.<ext>. Existing files are never overwritten and symbolic links never
// followed: a program may have guessed the names.
//
// Bounded by kSavedFiles and kSavedBytes in a run; what comes after is an error.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "protocol/message.h"

namespace capsule::cli {

inline constexpr size_t kSavedFiles = 10'000;
inline constexpr uint64_t kSavedBytes = uint64_t{1} << 30;

class DisplayFiles {
 public:
  // Makes the directory when it is not there (not its parents).
  static Result<DisplayFiles> open(const std::string& directory);

  // Saves every representation but text/plain; the paths, as the caller would write them. `label` is the part of the
  // name after the run's id.
  Result<std::vector<std::string>> save(const std::string& run_id, std::string_view label, const Bundle& bundle);

 private:
  DisplayFiles(UniqueFd directory, std::string name) : directory_(std::move(directory)), name_(std::move(name)) {}
  Status save_one(const std::string& name, const std::string& data);

  UniqueFd directory_;
  std::string name_;
  size_t files_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace capsule::cli
