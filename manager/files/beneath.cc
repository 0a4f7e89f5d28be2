#include "manager/files/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/utf8.h"

namespace capsule::beneath {
namespace {

constexpr int kTriesMax = 16;            // openat2 gives EAGAIN while others rename on the way
constexpr seconds kUploadedFilesAge{1};  // see write_file
constexpr size_t kRandomWords = 2;       // in the name of a file that is not whole yet

Result<UniqueFd> open_beneath(int root, const std::string& path, uint64_t flags, mode_t mode) {
  open_how how{};
  how.flags = flags | O_CLOEXEC | O_NOFOLLOW;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  for (int i = 0; i < kTriesMax; ++i) {
    const long fd = syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  auto error = system_failure("'" + escape_control(replace_invalid_utf8(path)) + "'");
  switch (errno) {
    case ENOENT:
    case ENOTDIR: error.value().code = Errc::kNotFound; break;
    case ELOOP:
      error.value() = {Errc::kRefused, "'" + escape_control(replace_invalid_utf8(path)) +
                                           "' is a symbolic link, or leads through one: it is not followed"};
      break;
    case EACCES:
    case EPERM:
    case EXDEV:
    case ENXIO: error.value().code = Errc::kRefused; break;  // ENXIO: a socket
    case ENOSPC:
    case EDQUOT: error.value().code = Errc::kTooLarge; break;
    default: break;
  }
  return error;
}

// The directory a file goes to, made where it is missing.
Result<UniqueFd> make_parents(int root, std::string_view parents) {
  auto at = open_beneath(root, ".", O_PATH | O_DIRECTORY, 0);
  while (at && !parents.empty()) {
    const size_t end = std::min(parents.find('/'), parents.size());
    const std::string part(parents.substr(0, end));
    parents.remove_prefix(std::min(end + 1, parents.size()));
    if (mkdirat(at->get(), part.c_str(), 0755) != 0 && errno != EEXIST) {
      auto error = system_failure("mkdir '" + escape_control(replace_invalid_utf8(part)) + "'");
      if (errno == ENOSPC || errno == EDQUOT) error.value().code = Errc::kTooLarge;
      return error;
    }
    at = open_beneath(at->get(), part, O_PATH | O_DIRECTORY, 0);
  }
  return at;
}

// Not to be guessed, so that no program can be in the way.
std::string random_name() {
  std::array<uint32_t, kRandomWords> words{};
  (void)getrandom(words.data(), sizeof words, 0);
  std::string name = ".capsule-part";
  for (const uint32_t word : words) name += "-" + std::to_string(word);
  return name;
}

// A file's time of change is the write's; a modification time in the past tells a later write from ours, also within
// one tick of the kernel's clock.
Result<struct stat> settle(int file) {
  struct stat facts {};
  if (fstat(file, &facts) != 0) return system_failure("fstat");
  timespec times[2] = {{0, UTIME_OMIT}, facts.st_mtim};
  times[1].tv_sec -= kUploadedFilesAge.count();
  if (futimens(file, times) != 0 || fstat(file, &facts) != 0) return system_failure("futimens");
  return facts;
}

}  // namespace

std::string why_skipped(const struct stat& facts, uint64_t bytes_max) {
  if (S_ISLNK(facts.st_mode)) return "a symbolic link";
  if (S_ISFIFO(facts.st_mode)) return "a named pipe";
  if (S_ISSOCK(facts.st_mode)) return "a socket";
  if (S_ISDIR(facts.st_mode)) return "a directory";
  if (!S_ISREG(facts.st_mode)) return "a device";
  if (facts.st_nlink != 1) return "a file with several names (hard links)";
  if (static_cast<uint64_t>(facts.st_size) > bytes_max) return "larger than " + format_bytes(bytes_max);
  return {};
}

Result<File> open_to_read(int root, std::string_view path, uint64_t bytes_max) {
  auto fd = open_beneath(root, std::string(path), O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
  if (!fd) return tl::unexpected<Error>(fd.error());
  File file{std::move(*fd), {}};
  if (fstat(file.fd.get(), &file.facts) != 0) return system_failure("fstat");
  const std::string why = why_skipped(file.facts, bytes_max);
  if (why.empty()) return file;
  const bool is_large = S_ISREG(file.facts.st_mode) && file.facts.st_nlink == 1;
  return failure(is_large ? Errc::kTooLarge : Errc::kRefused,
                 "'" + escape_control(replace_invalid_utf8(path)) + "' is " + why);
}

Result<UniqueFd> open_directory(int root, std::string_view path) {
  return open_beneath(root, path.empty() ? "." : std::string(path), O_RDONLY | O_DIRECTORY, 0);
}

Result<Writing> Writing::begin(int root, std::string_view path, const Source& source) {
  const size_t slash = path.rfind('/');
  auto parent = make_parents(root, path.substr(0, slash == path.npos ? 0 : slash));
  if (!parent) return tl::unexpected<Error>(parent.error());
  Writing writing(std::move(*parent), std::string(path.substr(slash == path.npos ? 0 : slash + 1)), source);
  std::string part_name = random_name();
  auto part = open_beneath(writing.parent_.get(), part_name, O_WRONLY | O_CREAT | O_EXCL, source.mode);
  if (!part) return tl::unexpected<Error>(part.error());
  writing.part_ = std::move(*part);
  writing.part_name_ = std::move(part_name);
  return writing;
}

Writing::~Writing() {
  if (part_) unlinkat(parent_.get(), part_name_.c_str(), 0);
}

Result<uint64_t> Writing::copy(uint64_t bytes_max) {
  auto offset = static_cast<off_t>(source_.offset);
  for (uint64_t left = std::min(bytes_max, source_.bytes); left > 0;) {
    const ssize_t put = sendfile(part_.get(), source_.fd, &offset, left);
    if (put < 0 && errno == EINTR) continue;
    if (put == 0) return failure(Errc::kSystem, "an upload is shorter than it was");
    if (put < 0 && (errno == ENOSPC || errno == EDQUOT)) return failure(Errc::kTooLarge, "the workspace is full");
    if (put < 0) return system_failure("write");
    left -= static_cast<uint64_t>(put);
    source_.bytes -= static_cast<uint64_t>(put);
  }
  source_.offset = static_cast<uint64_t>(offset);
  return source_.bytes;
}

Result<struct stat> Writing::finish() {
  // Whatever the manager's umask is.
  if (fchmod(part_.get(), source_.mode) != 0) return system_failure("fchmod");
  const auto facts = settle(part_.get());
  if (!facts) return facts;
  if (renameat(parent_.get(), part_name_.c_str(), parent_.get(), name_.c_str()) != 0) {
    return system_failure("cannot write '" + escape_control(replace_invalid_utf8(name_)) + "'");
  }
  part_.reset();
  return facts;
}

Result<struct stat> write_file(int root, std::string_view path, const Source& source) {
  auto writing = Writing::begin(root, path, source);
  if (!writing) return tl::unexpected<Error>(writing.error());
  if (const auto copied = writing->copy(source.bytes); !copied) return tl::unexpected<Error>(copied.error());
  return writing->finish();
}

}  // namespace capsule::beneath
