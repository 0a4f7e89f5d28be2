// Writes files that a manager names below a directory of the user's. The names are a program's: each is checked, each
// directory on the way is opened without following links, and a file appears whole, in the place of what had its name.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule::cli {

class SaveTree {
 public:
  // Makes the directory when it is not there (not its parents).
  static Result<SaveTree> open(const std::string& directory);

  // `fill` writes the file's bytes and says whether it is executable.
  using Fill = std::function<Result<bool>(int fd)>;
  Status save(const std::string& path, const Fill& fill);

 private:
  explicit SaveTree(UniqueFd root) : root_(std::move(root)) {}

  UniqueFd root_;
};

}  // namespace capsule::cli
