#include "manager/storage/spare_inodes.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>

#include "base/posix_io.h"

namespace capsule {
namespace {

Result<std::vector<std::string>> names_in(int directory) {
  UniqueFd again(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again) return system_failure("open a run's directory");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(again.get()), closedir);
  if (!stream) return system_failure("fdopendir");
  (void)again.release();
  std::vector<std::string> names;
  while (const dirent* entry = readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

}  // namespace

SpareInodes::SpareInodes(UniqueFd directory) : directory_(std::move(directory)) {
  const auto left = names_in(directory_.get());
  if (!left) return;
  for (const std::string& name : *left) {
    if (unlinkat(directory_.get(), name.c_str(), 0) != 0) unlinkat(directory_.get(), name.c_str(), AT_REMOVEDIR);
  }
}

Status SpareInodes::take(int runs, const std::string& run_id) {
  const UniqueFd directory(openat(runs, run_id.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory) return errno == ENOENT ? Status{} : Status(system_failure("open a run's directory"));
  const auto names = names_in(directory.get());
  if (!names) return tl::unexpected<Error>(names.error());
  for (const std::string& name : *names) {
    if (const Status taken = take_file(directory.get(), name.c_str()); !taken) return taken;
  }
  const std::string spare = "d" + std::to_string(++named_);
  if (directories_.size() < kDirectories && renameat(runs, run_id.c_str(), directory_.get(), spare.c_str()) == 0) {
    directories_.push_back(spare);
    return {};
  }
  if (unlinkat(runs, run_id.c_str(), AT_REMOVEDIR) != 0) return system_failure("remove a run's directory");
  return {};
}

// Cut off here and not when it is written again: ext4 writes at close what replaced content at once.
Status SpareInodes::take_file(int directory, const char* name) {
  const std::string spare = "f" + std::to_string(++named_);
  const bool is_emptied = files_.size() < kFiles &&
                          UniqueFd(openat(directory, name, O_WRONLY | O_TRUNC | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  if (is_emptied && renameat(directory, name, directory_.get(), spare.c_str()) == 0) {
    files_.push_back(spare);
    return {};
  }
  if (unlinkat(directory, name, 0) != 0) return system_failure("remove a file of a run");
  return {};
}

bool SpareInodes::give(std::vector<std::string>& from, int directory, const char* name) {
  if (from.empty()) return false;
  if (renameat2(directory_.get(), from.back().c_str(), directory, name, RENAME_NOREPLACE) != 0) return false;
  from.pop_back();
  return true;
}

}  // namespace capsule
