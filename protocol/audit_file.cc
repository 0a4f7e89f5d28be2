#include "protocol/audit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace capsule {

Result<AuditFileEnd> check_audit_file(const std::string& path, AuditCheck& check) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return failure(Errc::kNotFound, "there is no " + path);
    return system_failure("open " + path);
  }
  struct stat found {};
  if (fstat(file.get(), &found) != 0) return system_failure("look at " + path);
  if (!S_ISREG(found.st_mode)) return failure(Errc::kInvalid, path + " is not a regular file");
  check.begin_file();
  AuditFileEnd end;
  std::string rest;  // of a line whose newline has not been read yet
  std::array<char, 64 * 1024> block;
  for (;;) {
    const ssize_t got = read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("read " + path);
    if (got == 0) break;
    rest.append(block.data(), static_cast<size_t>(got));
    size_t begin = 0;
    for (size_t newline = 0; (newline = rest.find('\n', begin)) != std::string::npos; begin = newline + 1) {
      if (const Status good = check.line(std::string_view(rest).substr(begin, newline - begin)); !good) {
        return tl::unexpected<Error>(good.error());
      }
      end.whole_bytes += newline - begin + 1;
    }
    rest.erase(0, begin);
    if (rest.size() > kAuditLineBytes) return failure(Errc::kInvalid, path + " has a line that is too long for one");
  }
  end.torn_bytes = rest.size();
  return end;
}

}  // namespace capsule
