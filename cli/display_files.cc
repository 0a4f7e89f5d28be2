#include "cli/display_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/posix_io.h"
#include "cli/render_run.h"
#include "protocol/limits.h"

namespace capsule::cli {
namespace {

// It becomes part of a file name, so it must be what the protocol says run ids are.
bool is_id(const std::string& id) {
  return !id.empty() && id.size() <= limits::kIdBytes && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace

Result<DisplayFiles> DisplayFiles::open(const std::string& directory) {
  if (mkdir(directory.c_str(), 0777) != 0 && errno != EEXIST) return system_failure("mkdir " + directory);
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return system_failure("open " + directory);
  return DisplayFiles(std::move(fd), directory);
}

Status DisplayFiles::save_one(const std::string& name, const std::string& data) {
  if (files_ >= kSavedFiles || bytes_ + data.size() > kSavedBytes) {
    return failure(Errc::kTooLarge, "this run has filled its share of " + name_);
  }
  const UniqueFd file(
      openat(directory_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!file) return system_failure("create " + name_ + "/" + name);
  ++files_;
  bytes_ += data.size();
  return write_all(file.get(), data);
}

Result<std::vector<std::string>> DisplayFiles::save(const std::string& run_id, std::string_view label,
                                                    const Bundle& bundle) {
  if (!is_id(run_id)) return failure(Errc::kInvalid, "the run's id cannot be part of a file name");
  std::vector<std::string> saved;
  for (const auto& [mime, data] : bundle) {
    if (mime == "text/plain") continue;
    std::string name = run_id + "-" + std::string(label) + extension_for(mime);
    const bool is_doubled = std::find(saved.begin(), saved.end(), name_ + "/" + name) != saved.end();
    if (is_doubled) name = run_id + "-" + std::string(label) + "-" + std::to_string(saved.size()) + extension_for(mime);
    if (auto status = save_one(name, data.value); !status) return tl::unexpected(status.error());
    saved.push_back(name_ + "/" + name);
  }
  return saved;
}

}  // namespace capsule::cli
