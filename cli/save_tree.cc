#include "cli/save_tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/utf8.h"
#include "protocol/file_path.h"

namespace capsule::cli {
namespace {

Result<UniqueFd> open_parent(int root, const std::string& path) {
  UniqueFd at(openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (size_t begin = 0, end = 0; at && (end = path.find('/', begin)) != path.npos; begin = end + 1) {
    const std::string part = path.substr(begin, end - begin);
    if (mkdirat(at.get(), part.c_str(), 0777) != 0 && errno != EEXIST) return system_failure("mkdir " + part);
    at.reset(openat(at.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  if (!at) return system_failure("a directory on the way to '" + escape_control(replace_invalid_utf8(path)) + "'");
  return at;
}

}  // namespace

Result<SaveTree> SaveTree::open(const std::string& directory) {
  if (mkdir(directory.c_str(), 0777) != 0 && errno != EEXIST) return system_failure("mkdir " + directory);
  UniqueFd root(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return system_failure("open " + directory);
  return SaveTree(std::move(root));
}

Status SaveTree::save(const std::string& path, const Fill& fill) {
  if (auto status = check_file_path(path); !status) return status;
  const auto parent = open_parent(root_.get(), path);
  if (!parent) return tl::unexpected<Error>(parent.error());
  const std::string name = path.substr(path.rfind('/') == path.npos ? 0 : path.rfind('/') + 1);
  const std::string part = ".capsule-part-" + std::to_string(getpid());
  unlinkat(parent->get(), part.c_str(), 0);  // of an earlier command that was killed
  const UniqueFd file(openat(parent->get(), part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!file) return system_failure("cannot write '" + escape_control(replace_invalid_utf8(path)) + "'");
  Status done;
  if (const auto executable = fill(file.get()); !executable) {
    done = tl::unexpected<Error>(executable.error());
  } else {
    struct stat facts {};
    if (*executable && fstat(file.get(), &facts) == 0) (void)fchmod(file.get(), facts.st_mode | 0100);
    if (renameat(parent->get(), part.c_str(), parent->get(), name.c_str()) != 0) {
      done = system_failure("cannot write '" + escape_control(replace_invalid_utf8(path)) + "'");
    }
  }
  if (!done) unlinkat(parent->get(), part.c_str(), 0);
  return done;
}

}  // namespace capsule::cli
